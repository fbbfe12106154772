"""End a run exactly once: text, outcome and the end of the run row in one transaction."""

import asyncio
import logging
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import msgspec
from asgiref.sync import sync_to_async  # noqa: F401  the crossing that `threads.write` makes
from django.db import DatabaseError, InterfaceError, OperationalError, transaction

from streaming import statements, threads
from streaming.events import Ended
from streaming.models import Fragment, Run
from streaming.outcome import Outcome, failed, stopped
from streaming.recorder import Settlement, recorder
from streaming.statements import Fenced
from streaming.transcript import Piece, StoredPart

logger = logging.getLogger(__name__)

_FIRST_RETRY_SECONDS = 0.05
_LONGEST_RETRY_SECONDS = 2.0


class Claimed(NamedTuple):
    """A run that this worker may settle: its own by claim."""

    worker_id: UUID
    run_id: UUID
    claim: UUID


class Settled(NamedTuple):
    """What was committed."""

    ended: Ended
    parts: list[StoredPart]


async def settle(claimed: Claimed, outcome: Outcome, pending: Sequence[Piece] = ()) -> Settled:
    """Settle a run, again and again until storage answers.

    Args:
        pending: the owner's text that no commit has; empty when a person stopped the run.
    Raises:
        Fenced: another worker has settled it, or will.
    Cancellation:
        a transaction that was begun is finished; whether the run is settled is then known only to
        the database. Await this in a held task.
    """
    delay = _FIRST_RETRY_SECONDS
    refused = 0
    while True:
        try:
            return await asyncio.shield(
                asyncio.ensure_future(
                    threads.write(settle_transaction, claimed, outcome, list(pending))
                )
            )
        except (OperationalError, InterfaceError) as error:
            logger.warning("Settling waits for storage: %s", type(error).__name__)
        except DatabaseError:
            refused += 1
            if refused > 1:
                raise
            # What was refused can only be the text that is not stored yet.
            logger.exception("Settling run %s was refused; its pending text goes", claimed.run_id)
            outcome, pending = failed("internal"), ()
        await asyncio.sleep(delay)
        delay = min(delay * 2, _LONGEST_RETRY_SECONDS)


def settle_transaction(claimed: Claimed, outcome: Outcome, pending: Sequence[Piece]) -> Settled:
    """Settle in one transaction.

    The order matters: our worker row is locked, then the run row is deleted by its claim, and only
    then, in a later statement, are the fragments read: nobody can add one any more.

    Raises:
        Fenced: this worker is dead to the others, or the run has another claim.
    """
    with transaction.atomic():
        try:
            statements.lock_worker(claimed.worker_id)
        except Fenced:
            return _recognise(claimed)
        run = (
            Run.objects.select_for_update()
            .filter(id=claimed.run_id, claim=claimed.claim)
            .only("stop_requested_at", "discarded")
            .first()
        )
        if run is None:
            return _recognise(claimed)
        return write_end(run, claimed.claim, outcome, pending)


def write_end(run: Run, claim: UUID, outcome: Outcome, pending: Sequence[Piece] = ()) -> Settled:
    """Write the end of a run whose right to settle the caller's transaction has made sure of."""
    outcome = _as_asked(run, outcome)
    run_id = run.id
    run.delete()
    if outcome.status == "stopped":
        pending = ()
    parts = statements.stored_parts(run_id)
    if pending:
        parts = statements.join_pieces([*_whole(parts), *pending])
    if not recorder().save(run_id, Settlement(outcome, parts, claim)):
        outcome = msgspec.structs.replace(outcome, status="stopped", reason="deleted")
    Fragment.objects.filter(run_id=run_id).delete()
    return Settled(Ended.of(outcome, parts), parts)


def _as_asked(run: Run, outcome: Outcome) -> Outcome:
    """Let a recorded stop win over an interruption or a failure, never over completion."""
    if outcome.status == "completed" or outcome.status == "stopped":
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


def _recognise(claimed: Claimed) -> Settled:
    """Find out whether it was we who settled it: a commit's answer can be lost.

    Raises:
        Fenced: it was somebody else, or nobody yet.
    """
    recorded = recorder().load(claimed.run_id)
    if recorded is None or recorded.claim != claimed.claim:
        raise Fenced
    return Settled(Ended.of(recorded.outcome, recorded.parts), recorded.parts)


def _whole(parts: list[StoredPart]) -> list[Piece]:
    return [Piece(number, part.kind, 0, part.text) for number, part in enumerate(parts, 1)]
