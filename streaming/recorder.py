"""The seam to whoever keeps the replies: the recorder named in `STREAMING["RECORDER"]`."""

from functools import lru_cache
from typing import Any, Protocol, cast
from uuid import UUID

import msgspec
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from streaming.conf import conf
from streaming.outcome import Outcome
from streaming.transcript import StoredPart


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


class Recorder(Protocol):
    """Keeps replies. Both methods are synchronous and run in a database thread."""

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


def _forget(*, setting: str, **kwargs: Any) -> None:
    if setting == "STREAMING":
        recorder.cache_clear()


setting_changed.connect(_forget)
