"""What workers write about each other: presence, beats, death, and the runs of the dead."""

import logging
import os
import socket
from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from streaming.conf import conf
from streaming.events import Ended
from streaming.models import Run, Worker
from streaming.outcome import Outcome, interrupted
from streaming.recorder import resume
from streaming.settlement import MOST_AT_ONCE, End, write_ends
from streaming.statements import Fenced, stored_parts

logger = logging.getLogger(__name__)

_UNHELD_AFTER = timedelta(seconds=5)

# One statement: the beat, and whether somebody wants to know more.
_BEAT = """
    UPDATE {table} SET beat = beat + 1 WHERE id = %s AND alive
    RETURNING watched_until > {now}
"""
_NOW = {
    "postgresql": "statement_timestamp()",
    "sqlite": "strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now')",
}


class Seen(NamedTuple):
    """Another worker as one poll saw it."""

    worker_id: UUID
    beat: int


def register(worker_id: UUID) -> None:
    """Enter this process among the workers; a repeat after an unknown commit is harmless."""
    Worker.objects.get_or_create(
        id=worker_id,
        defaults={
            "host": socket.gethostname()[:255],
            "pid": os.getpid(),
            "version": str(getattr(settings, "PRODUCT_VERSION", ""))[:40],
        },
    )


def raise_beat(worker_id: UUID) -> bool:
    """Show that this worker lives.

    Returns:
        Whether somebody looks at live runs, and wants a report.
    Raises:
        Fenced: the others have declared it dead.
    """
    sql = _BEAT.format(table=Worker._meta.db_table, now=_NOW[connection.vendor])
    with connection.cursor() as cursor:
        cursor.execute(sql, (Worker._meta.pk.get_db_prep_value(worker_id, connection),))
        row = cursor.fetchone()
    if row is None:
        raise Fenced
    return bool(row[0])


def write_report(worker_id: UUID, report: dict[str, Any]) -> None:
    """Tell operators what this worker's runs and readers do."""
    Worker.objects.filter(id=worker_id).update(report=report)


def note_draining(worker_id: UUID) -> None:
    """Tell operators that this worker takes no more starts."""
    Worker.objects.filter(id=worker_id).update(draining=True)


def unregister(worker_id: UUID) -> None:
    """Leave; runs that are still ours become orphans, which any worker settles."""
    Worker.objects.filter(id=worker_id).delete()


def others(worker_id: UUID) -> list[Seen]:
    """Read the beats of all other living workers."""
    rows = Worker.objects.filter(alive=True).exclude(id=worker_id)
    return [Seen(*row) for row in rows.values_list("id", "beat")]


def declare_dead(seen: Seen) -> bool:
    """Fence a worker whose beat has not moved; False where it has, or somebody else did it."""
    rows = Worker.objects.filter(id=seen.worker_id, beat=seen.beat, alive=True)
    return bool(rows.update(alive=False))


def takers(worker_id: UUID) -> list[Seen]:
    """Read the beats of the other workers that could go on with runs of this one."""
    rows = Worker.objects.filter(alive=True, draining=False).exclude(id=worker_id)
    return [Seen(*row) for row in rows.values_list("id", "beat")]


def release(run_id: UUID, claim: UUID) -> bool:
    """Let other workers go on with a run of ours.

    Returns:
        False where it cannot go on, as far as we know: nothing was written, it is to be settled.
    """
    with transaction.atomic():
        if not Run.objects.filter(id=run_id, claim=claim).update(released=True):
            return True  # somebody else has it already
        with transaction.atomic():
            goes_on = resume(run_id, stored_parts([run_id])[run_id]) is not None
            transaction.set_rollback(True)  # we only ask
        if not goes_on:
            transaction.set_rollback(True)
        return goes_on


def offered(worker_id: UUID) -> int:
    """Count the runs of this worker that it gave away, and nobody has taken yet."""
    return Run.objects.owned_by(worker_id).filter(released=True).count()


def settle_offered(worker_id: UUID) -> dict[UUID, Ended]:
    """Settle runs that this worker gave away and nobody took, a batch at a time.

    Returns:
        Their ends; empty when there is nothing left but what others lock at this moment.
    """
    with transaction.atomic():
        return _settle_lost(_locked(Run.objects.owned_by(worker_id).filter(released=True)))


def settle_orphans(given_up: Collection[UUID] | None = None) -> dict[UUID, Ended]:
    """Settle runs of dead or unknown workers, a batch at a time, as `worker_lost`.

    A worker that is not alive can neither add text nor settle, so each run may have a transaction
    of its own; if we die half-way another worker goes on.

    Args:
        given_up: of those that could go on, the ones that are to be settled; None means all.
    Returns:
        The ends of the runs that were settled; empty when there is nothing left.
    """
    resumable = Run.objects.resumable(tries=conf().resume_tries)
    # Of those, others may go on with them though we cannot, and their worker waits for that.
    rows = Run.objects.orphaned().exclude(id__in=resumable.offered().values("id"))
    if given_up is not None:
        rows = rows.exclude(id__in=resumable.exclude(id__in=given_up).values("id"))
    with transaction.atomic():
        settled = _settle_lost(still_orphaned(_locked(rows)))
    if not settled:
        owners = Run.objects.values("worker_id")
        Worker.objects.filter(alive=False).exclude(id__in=owners).delete()
    return settled


def settle_unheld(worker_id: UUID, held: Collection[UUID]) -> dict[UUID, Ended]:
    """Settle rows of this worker that it does not produce: a start that was cut half-way.

    Args:
        held: the worker's runs as they are now: this call may have waited long for storage.
    """
    rows = Run.objects.owned_by(worker_id).filter(released=False)
    before = Now() - _UNHELD_AFTER
    rows = rows.filter(Q(claimed_at__lt=before) | Q(claimed_at__isnull=True, started_at__lt=before))
    unheld = [run_id for run_id in rows.values_list("id", flat=True) if run_id not in held]
    if not unheld:
        return {}
    with transaction.atomic():
        locked = _locked(rows.filter(id__in=unheld))
        # Some may have been registered while the rows were waited for.
        return _settle_lost(run for run in locked if run.id not in held)


def to_end(worker_id: UUID) -> list[tuple[UUID, bool]]:
    """List this worker's runs that a person ended, and whether their conversation is gone."""
    rows = Run.objects.owned_by(worker_id).to_end()
    return list(rows.values_list("id", "discarded"))


def watched(run_ids: list[UUID]) -> set[UUID]:
    """Say which of these runs have readers on other workers."""
    rows = Run.objects.filter(id__in=run_ids, watched_until__gte=Now())
    return set(rows.values_list("id", flat=True))


def still_orphaned(runs: list[Run]) -> list[Run]:
    """Keep those runs, locked by now, whose workers are not alive.

    In a statement of its own: the one that locked them may have seen workers as they were before
    one of these runs got a new worker.
    """
    owners = {run.worker_id for run in runs}
    alive = set(Worker.objects.filter(alive=True, id__in=owners).values_list("id", flat=True))
    return [run for run in runs if run.released or run.worker_id not in alive]


def _locked(rows: QuerySet[Run]) -> list[Run]:
    """Lock a batch of runs; those that another worker settles at this moment are left to it."""
    return list(rows.select_for_update(skip_locked=can_skip())[:MOST_AT_ONCE])


def _settle_lost(runs: Iterable[Run]) -> dict[UUID, Ended]:
    """Settle locked runs together; one by one where the batch is refused."""
    ends = [(run, End(run.worker_id, run.id, run.claim, _loss(run))) for run in runs]
    try:
        with transaction.atomic():
            return {run_id: settled.ended for run_id, settled in write_ends(ends).items()}
    except (OperationalError, InterfaceError):
        raise
    except Exception:  # the database's, or the recorder's: of one of them, most likely
        settled: dict[UUID, Ended] = {}
        for run, end in ends:
            settled |= _settle_apart(run, end)
        return settled


def _loss(run: Run) -> Outcome:
    return interrupted("shutdown" if run.released else "worker_lost")


def _settle_apart(run: Run, end: End) -> dict[UUID, Ended]:
    """Settle one run of a batch that was refused: a bad one must not keep the others."""
    try:
        with transaction.atomic():
            return {run.id: write_ends([(run, end)])[run.id].ended}
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:  # as above; the others are settled
        logger.error("Run %s cannot be settled: %s", run.id, type(error).__name__)
        return {}


def can_skip() -> bool:
    """Whether runs that another worker settles at this moment can be left to it."""
    return connection.features.has_select_for_update_skip_locked
