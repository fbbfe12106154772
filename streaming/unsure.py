"""Transactions whose commit goes unanswered: only the database knows whether they were made."""

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

from django.db import InterfaceError, OperationalError, transaction

from streaming.models import Run, Worker

T = TypeVar("T")


class Unsure(Exception):
    """All was written, and then the connection was lost, or the commit failed."""

    def __init__(self, written: Any, cause: Exception) -> None:
        super().__init__(str(cause))
        self.written = written
        """What the transaction would have returned."""
        self.cause = cause


def commit(write: Callable[[], T], hold: Callable[[T], None] = lambda written: None) -> T:
    """Run one transaction.

    Args:
        write: returns None where it wrote nothing that anybody would have to look for.
        hold: takes what was written, right before the commit, whose answer may be long in coming.
    Raises:
        Unsure: it is there or it is not; `is_ours` tells, for a run.
    """
    written = None
    try:
        with transaction.atomic():
            written = write()
            hold(written)
    except (OperationalError, InterfaceError) as error:
        if written is None:
            raise
        raise Unsure(written, error) from error
    return written


def is_ours(run_id: UUID, worker_id: UUID, claim: UUID) -> bool:
    """Say whether a run was started or claimed by this very attempt; inside a transaction.

    A commit that the database is still at work on is waited for: it holds our worker's row, and a
    row that it only adds cannot be seen before.
    """
    Worker.objects.select_for_update().filter(id=worker_id).first()
    run = Run.objects.select_for_update().filter(id=run_id).first()
    return run is not None and (run.worker_id, run.claim) == (worker_id, claim)
