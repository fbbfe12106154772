"""The seam to whoever keeps the replies: the recorder named in `STREAMING["RECORDER"]`."""

import logging
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple, Protocol, cast
from uuid import UUID

import msgspec
from django.core.signals import setting_changed
from django.db import InterfaceError, OperationalError, transaction
from django.utils.module_loading import import_string

from streaming.conf import conf
from streaming.outcome import Outcome, Spent
from streaming.source import Source
from streaming.transcript import StoredPart

logger = logging.getLogger(__name__)


class Settlement(msgspec.Struct, frozen=True):
    """What a recorder is given when a run ends."""

    outcome: Outcome
    parts: list[StoredPart]
    claim: UUID
    """Identifies the producer; to be stored with the reply."""


class Recorded(msgspec.Struct, frozen=True):
    """What a recorder knows of a reply whose run is gone."""

    about: dict[str, Any]
    outcome: Outcome
    parts: list[StoredPart]
    claim: UUID | None


class Resumption(NamedTuple):
    """How a run goes on whose worker was lost."""

    source: Callable[[], Source]
    """Makes what produces the rest, once the run is ours; called on the event loop."""
    spent: Spent = Spent()
    """What the reply had taken before this run began."""


class Recorder(Protocol):
    """Keeps replies. The methods are synchronous and run in a database thread.

    One may be left out, and is therefore none of the protocol's:
    `resume(run_id: UUID, parts: list[StoredPart]) -> Resumption | None`. It is called inside the
    transaction in which a worker takes over the run of a lost one, with the text that is stored,
    all of which readers may have seen. What it returns produces what follows behind that text;
    None where it cannot go on: then the run is interrupted.
    """

    def save(self, run_id: UUID, settlement: Settlement) -> bool:
        """Write the reply, inside the settling transaction.

        Returns:
            False where the reply no longer exists, which is no error.
        """

    def load(self, run_id: UUID) -> Recorded | None:
        """Read a settled reply; None where there is none."""


@lru_cache(maxsize=1)
def recorder() -> Recorder:
    """Return the recorder of this project."""
    found = import_string(conf().recorder)
    return cast(Recorder, found() if isinstance(found, type) else found)


def resume(run_id: UUID, parts: list[StoredPart]) -> Resumption | None:
    """Ask the recorder how a run goes on, inside the caller's transaction.

    Returns:
        None where it cannot, or knows nothing of that.
    """
    ask: Callable[[UUID, list[StoredPart]], Resumption | None] | None
    found: Resumption | None
    ask = getattr(recorder(), "resume", None)
    if ask is None:
        return None
    try:
        with transaction.atomic():
            found = ask(run_id, parts)
    except (OperationalError, InterfaceError):
        raise
    except Exception:  # the recorder's, of one run; the others must be dealt with
        logger.exception("Run %s cannot be continued", run_id)
        return None
    return found


def _forget(*, setting: str, **kwargs: Any) -> None:
    if setting == "STREAMING":
        recorder.cache_clear()


setting_changed.connect(_forget)
