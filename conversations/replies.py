"""Replies: start, stop and delete, across the edge between a request and what outlives it."""

from collections.abc import Coroutine
from functools import partial
from typing import Any
from uuid import UUID

from django.db.models import Q

from conversations import ending, sources, starting
from conversations.exceptions import ChatError, ReplyInProgress, StorageUnavailable
from conversations.limits import rates
from conversations.limits.admission import Starter
from conversations.limits.turns import turn
from conversations.requests import Start
from conversations.shapes import events_path
from conversations.starting import Begun
from streaming import runner, runs, threads, tracing, workers
from streaming.conf import conf
from streaming.source import Source


async def start(user_id: Any, request: Start, *, address: str = "") -> Begun:
    """Start a run, or attach to the one that the same request started.

    Args:
        address: from where it is asked, see `limits.addresses`.
    Raises:
        CallerError, NotNow: nothing was started.
    Cancellation:
        the start goes on: once its row is committed, its run has a producer, whatever became of
        the request.
    """
    with tracing.span("start") as opened:
        trace = tracing.here()
        begun = await runs.hold(_refusal(_start(user_id, request, address, trace)))
        if isinstance(begun, Begun):
            tracing.add(opened, run_id=begun.run_id, provider=begun.provider)
    if isinstance(begun, ReplyInProgress):
        # Here and not in the start's task, which knows nothing of the request's SCRIPT_NAME.
        begun.extra["events"] = events_path(begun.extra["run_id"])
    if isinstance(begun, ChatError):
        raise begun
    return begun


async def _refusal(begin: Coroutine[Any, Any, Begun]) -> Begun | ChatError:
    """Return the refusal: whoever asked may be gone, and it is no failure of the task."""
    try:
        return await begin
    except ChatError as error:
        return error


async def _start(user_id: Any, request: Start, address: str, trace: Any) -> Begun:
    try:
        worker = await runs.ready()
    except runs.NotReady:
        raise StorageUnavailable from None
    most = conf().starts_per_minute_per_address
    async with turn(user_id), rates.place("starts", address, most_per_minute=most) as place:
        starter = Starter(user_id, worker.id, len(worker.runs), worker.draining, place.wait)

        def produce(begun: Begun) -> None:
            assert begun.new is not None
            runner.start(worker, begun.new, _source(begun), trace=trace)

        try:
            begun = await runs.begin(worker, partial(starting.begin, starter, request), produce)
        except threads.AWAY as error:
            raise StorageUnavailable from error
        place.taken = begun.new is not None
    return begun


def _source(begun: Begun) -> Source:
    assert begun.prompt is not None
    return sources.ask(begun.provider, begun.prompt, said=begun.said)


async def stop(user_id: Any, run_id: UUID) -> bool:
    """End a reply as a person's wish, on whichever worker it is produced.

    Returns:
        Whether it is settled already.
    Raises:
        NotFound: no such reply, or somebody else's.
    """
    settled = await threads.write(ending.request_stop, user_id, run_id)
    if not settled:
        runner.stop(workers.current(), run_id)
    return settled


async def delete_conversations(which: Q) -> None:
    """Delete conversations; what is live in them ends first."""
    for run_id in await threads.write(ending.discard, which):
        runner.stop(workers.current(), run_id, reason="deleted")


async def delete_message(user_id: Any, message_id: UUID) -> None:
    """Delete a message with what follows it in its branch."""
    for run_id in await threads.write(ending.discard_message, user_id, message_id):
        runner.stop(workers.current(), run_id, reason="deleted")
