"""The transaction in which a worker takes over a run that lost its own: stored text stays."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple
from uuid import UUID, uuid4

from django.db.models import DurationField, ExpressionWrapper, F
from django.db.models.functions import Now

from streaming import statements
from streaming.conf import conf
from streaming.models import Run
from streaming.recorder import resume
from streaming.runner import NewRun
from streaming.source import Source
from streaming.takeover import can_skip, still_orphaned
from streaming.unsure import commit, is_ours

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


def claim(worker_id: UUID, run_id: UUID, unsure: Claimed | None = None) -> Claimed | None:
    """Make a lost run ours.

    Args:
        unsure: an earlier claim of ours whose answer was lost; where it was made, it is returned.
    Returns:
        None where another worker was quicker.
    Raises:
        Unresumable: it has to be settled.
        Fenced: this worker may not produce.
        Unsure: it is to be claimed once more, with what this carries.
    """
    return commit(partial(_claim_once, worker_id, run_id, unsure))


def _claim_once(worker_id: UUID, run_id: UUID, unsure: Claimed | None) -> Claimed | None:
    is_made = unsure is not None and is_ours(run_id, worker_id, unsure.new.claim)
    statements.lock_worker(worker_id)
    return unsure if is_made else _claim(worker_id, run_id)


def _claim(worker_id: UUID, run_id: UUID) -> Claimed | None:
    run = _locked(run_id)
    if run is None:
        return None
    lasted_seconds = _lasted_seconds(run_id)
    deadline = conf().deadline_seconds
    if deadline and lasted_seconds >= deadline:
        raise Unresumable
    parts = statements.stored_parts([run_id])[run_id]
    resumption = resume(run_id, parts)
    if resumption is None:
        raise Unresumable
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
