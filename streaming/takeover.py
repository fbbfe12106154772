"""What workers write about each other: presence, beats, death, and the runs of the dead."""

import logging
import os
import socket
from collections.abc import Collection
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, OperationalError, connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from streaming.models import Run, Worker
from streaming.outcome import interrupted
from streaming.settlement import MOST_AT_ONCE, End, write_ends
from streaming.statements import Fenced

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


def settle_orphans() -> list[UUID]:
    """Settle runs of dead or unknown workers, a batch at a time, as `worker_lost`.

    A worker that is not alive can neither add text nor settle, so each run may have a transaction
    of its own; if we die half-way another worker goes on.

    Returns:
        The runs that were settled; empty when there is nothing left.
    """
    settled = _settle_lost(Run.objects.orphaned())
    if not settled:
        owners = Run.objects.values("worker_id")
        Worker.objects.filter(alive=False).exclude(id__in=owners).delete()
    return settled


def settle_unheld(worker_id: UUID, held: Collection[UUID]) -> list[UUID]:
    """Settle rows of this worker that it does not produce: a start that was cut half-way.

    Args:
        held: the worker's runs as they are now: this call may have waited long for storage.
    """
    rows = Run.objects.owned_by(worker_id).filter(started_at__lt=Now() - _UNHELD_AFTER)
    unheld = [run_id for run_id in rows.values_list("id", flat=True) if run_id not in held]
    return _settle_lost(rows.filter(id__in=unheld), held) if unheld else []


def to_end(worker_id: UUID) -> list[tuple[UUID, bool]]:
    """List this worker's runs that a person ended, and whether their conversation is gone."""
    rows = Run.objects.owned_by(worker_id).to_end()
    return list(rows.values_list("id", "discarded"))


def watched(run_ids: list[UUID]) -> set[UUID]:
    """Say which of these runs have readers on other workers."""
    rows = Run.objects.filter(id__in=run_ids, watched_until__gte=Now())
    return set(rows.values_list("id", flat=True))


def _settle_lost(rows: QuerySet[Run], held: Collection[UUID] = ()) -> list[UUID]:
    with transaction.atomic():
        runs = rows.select_for_update(skip_locked=_can_skip())[:MOST_AT_ONCE]
        lost = interrupted("worker_lost")
        ends = [
            (run, End(run.worker_id, run.id, run.claim, lost))
            for run in runs
            if run.id not in held  # registered while the rows were waited for
        ]
        try:
            with transaction.atomic():
                return list(write_ends(ends))
        except OperationalError:
            raise
        except DatabaseError:
            return [run.id for run, end in ends if _settle_apart(run, end)]


def _settle_apart(run: Run, end: End) -> bool:
    """Settle one run of a batch that was refused: a bad one must not keep the others."""
    try:
        with transaction.atomic():
            write_ends([(run, end)])
    except OperationalError:
        raise
    except DatabaseError as error:
        logger.error("Run %s cannot be settled: %s", run.id, type(error).__name__)
        return False
    return True


def _can_skip() -> bool:
    """Whether runs that another worker settles at this moment can be left to it."""
    return connection.features.has_select_for_update_skip_locked
