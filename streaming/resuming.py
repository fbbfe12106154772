"""The transaction in which a worker takes over a run that lost its own: stored text stays."""

import logging
from collections.abc import Callable
from typing import NamedTuple
from uuid import UUID, uuid4

from django.db import InterfaceError, OperationalError, transaction
from django.db.models import DurationField, ExpressionWrapper, F
from django.db.models.functions import Now

from streaming import statements
from streaming.conf import conf
from streaming.models import Run
from streaming.recorder import Resumption, resume
from streaming.runner import NewRun
from streaming.source import Source
from streaming.takeover import can_skip, still_orphaned
from streaming.transcript import StoredPart

logger = logging.getLogger(__name__)

# By the clock of the database: those of two hosts may be hours apart.
_LASTED = ExpressionWrapper(Now() - F("started_at"), output_field=DurationField())


class Unresumable(Exception):
    """The run cannot go on; nothing was written."""


class Claimed(NamedTuple):
    """A run that is ours from now on."""

    new: NewRun
    source: Callable[[], Source]


def resumable() -> list[UUID]:
    """List the runs of lost workers that may go on, the oldest first."""
    rows = Run.objects.orphaned().resumable(tries=conf().resume_tries)
    return list(rows.order_by("started_at").values_list("id", flat=True))


def claim(worker_id: UUID, run_id: UUID) -> Claimed | None:
    """Make a lost run ours.

    Returns:
        None where another worker was quicker.
    Raises:
        Unresumable: it has to be settled.
        Fenced: this worker may not produce.
    """
    with transaction.atomic():
        statements.lock_worker(worker_id)
        run = _locked(run_id)
        if run is None:
            return None
        lasted_seconds = _lasted_seconds(run_id)
        deadline = conf().deadline_seconds
        if deadline and lasted_seconds >= deadline:
            raise Unresumable
        parts = statements.stored_parts([run_id])[run_id]
        resumption = _resumption(run_id, parts)
        tries = run.tries + (0 if run.released else 1)
        new = NewRun(
            run_id=run_id,
            claim=uuid4(),
            about=run.about,
            on_disconnect="stop" if run.on_disconnect == "stop" else "continue",
            stored=parts,
            spent=resumption.spent,
            lasted_seconds=lasted_seconds,
        )
        Run.objects.filter(id=run_id).update(
            worker_id=worker_id, claim=new.claim, tries=tries, claimed_at=Now(), released=False
        )
        return Claimed(new, resumption.source)


def _locked(run_id: UUID) -> Run | None:
    """Lock a run that nobody alive owns; None where somebody does, or is about to."""
    rows = Run.objects.orphaned().resumable(tries=conf().resume_tries)
    run = rows.select_for_update(skip_locked=can_skip()).filter(id=run_id).first()
    if run is None or not still_orphaned([run]):
        return None
    return run


def _lasted_seconds(run_id: UUID) -> float:
    lasted = Run.objects.filter(id=run_id).values_list(_LASTED, flat=True).get()
    return max(float(lasted.total_seconds()), 0.0)


def _resumption(run_id: UUID, parts: list[StoredPart]) -> Resumption:
    try:
        with transaction.atomic():
            found = resume(run_id, parts)
    except (OperationalError, InterfaceError):
        raise
    except Exception:  # the recorder's, of one run; the others must be dealt with
        logger.exception("Run %s cannot be continued", run_id)
        found = None
    if found is None:
        raise Unresumable
    return found
