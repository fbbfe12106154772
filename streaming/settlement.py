"""End runs exactly once: text, outcome and the end of the run row in one transaction."""

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

import msgspec
from django.db import InterfaceError, OperationalError, transaction

from streaming import metrics, statements, threads
from streaming.events import Ended
from streaming.models import Fragment, Run
from streaming.outcome import Outcome, failed, stopped
from streaming.recorder import Settlement, recorder
from streaming.statements import Fenced
from streaming.transcript import Piece, StoredPart

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 64
"""Runs in one transaction: beyond it the writer would be away for too long."""

_FIRST_RETRY_SECONDS = 0.05
_LONGEST_RETRY_SECONDS = 2.0


class End(NamedTuple):
    """The end of a run that a worker holds by its claim."""

    worker_id: UUID
    run_id: UUID
    claim: UUID
    outcome: Outcome
    pending: Sequence[Piece] = ()
    """The owner's text that no commit has; empty when a person stopped the run."""


class Settled(NamedTuple):
    """What was committed."""

    ended: Ended
    parts: list[StoredPart]


async def settle(ends: Sequence[End]) -> Sequence[Settled | Exception]:
    """Settle runs together, again and again until storage answers.

    Returns:
        For each its end, or `Fenced` where another worker has settled it, or will.
    Cancellation:
        a transaction that was begun is finished; whether the runs are settled is then known only
        to the database. Await this in a held task.
    """
    delay = _FIRST_RETRY_SECONDS
    while True:
        begun = time.monotonic()
        try:
            settled = await asyncio.shield(
                asyncio.ensure_future(threads.write(settle_transaction, list(ends)))
            )
            metrics.settle_seconds.observe(time.monotonic() - begun)
            return settled
        except (OperationalError, InterfaceError) as error:
            metrics.storage_errors.labels("settle").inc()
            logger.warning("Settling waits for storage: %s", type(error).__name__)
        except Exception as error:  # one run's end must not cost the others theirs
            if len(ends) > 1:
                return [(await settle([end]))[0] for end in ends]
            if ends[0].outcome == failed("internal"):
                return [error]
            # What was refused can only be the text that is not stored yet.
            logger.exception("Settling run %s was refused; its pending text goes", ends[0].run_id)
            ends = [ends[0]._replace(outcome=failed("internal"), pending=())]
        await asyncio.sleep(delay)
        delay = min(delay * 2, _LONGEST_RETRY_SECONDS)


def settle_transaction(ends: Sequence[End]) -> list[Settled | Exception]:
    """Settle in one transaction.

    The order matters: our worker row is locked, then the run rows are deleted by their claims, and
    only then, in a later statement, are the fragments read: nobody can add one any more.
    """
    with transaction.atomic():
        alive = {worker for worker in {end.worker_id for end in ends} if _lock(worker)}
        ids = [end.run_id for end in ends]
        rows = {run.id: run for run in Run.objects.select_for_update().filter(id__in=ids)}
        ours = {
            end.run_id: end
            for end in ends
            if end.worker_id in alive and end.run_id in rows and rows[end.run_id].claim == end.claim
        }
        settled = write_ends([(rows[run_id], ours[run_id]) for run_id in ours])
        return [settled.get(end.run_id) or _recognise(end) for end in ends]


def _lock(worker_id: UUID) -> bool:
    try:
        statements.lock_worker(worker_id)
    except Fenced:
        return False
    return True


def write_ends(endings: Iterable[tuple[Run, End]]) -> dict[UUID, Settled]:
    """Write the ends of runs whose right to settle the caller's transaction has made sure of."""
    # One order for all workers, so that two batches cannot wait for each other's people.
    found = sorted(endings, key=lambda ending: ending[0].owner_key)
    ids = [run.id for run, _ in found]
    Run.objects.filter(id__in=ids).delete()
    stored = statements.stored_parts(ids)
    settled = {
        run.id: _write_end(end._replace(outcome=_as_asked(run, end.outcome)), stored[run.id])
        for run, end in found
    }
    Fragment.objects.filter(run_id__in=ids).delete()
    return settled


def _write_end(end: End, parts: list[StoredPart]) -> Settled:
    outcome = end.outcome
    if end.pending and outcome.status != "stopped":
        parts = statements.join_pieces([*_whole(parts), *end.pending])
    if not recorder().save(end.run_id, Settlement(outcome, parts, end.claim)):
        outcome = msgspec.structs.replace(outcome, status="stopped", reason="deleted")
    return Settled(Ended.of(outcome, parts), parts)


def _as_asked(run: Run, outcome: Outcome) -> Outcome:
    """Let a recorded stop win over an interruption or a failure, never over completion."""
    if outcome.status in ("completed", "stopped"):
        return outcome
    if run.stop_requested_at is None and not run.discarded:
        return outcome
    asked = stopped("deleted" if run.discarded else "user")
    return msgspec.structs.replace(
        asked,
        usage=outcome.usage,
        first_token_ms=outcome.first_token_ms,
        duration_ms=outcome.duration_ms,
    )


def _recognise(end: End) -> Settled | Fenced:
    """Find out whether it was we who settled it: a commit's answer can be lost."""
    recorded = recorder().load(end.run_id)
    if recorded is None or recorded.claim != end.claim:
        return Fenced()
    return Settled(Ended.of(recorded.outcome, recorded.parts), recorded.parts)


def _whole(parts: list[StoredPart]) -> list[Piece]:
    return [Piece(number, part.kind, 0, part.text) for number, part in enumerate(parts, 1)]
