"""Replies: start, stop and delete, across the edge between a request and what outlives it."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from typing import Any
from uuid import UUID

from django.db import DatabaseError, InterfaceError
from django.db.models import Q

from conversations import starting
from conversations.exceptions import ChatError, StorageUnavailable
from conversations.providers import providers
from conversations.requests import Start
from conversations.starting import Begun, Starter
from streaming import runner, threads, workers
from streaming.detached import spawn
from streaming.source import Item, SourceFailed

_REGISTRATION_SECONDS = 5.0


async def start(user_id: Any, request: Start) -> Begun:
    """Start a run, or attach to the one that the same request started.

    Raises:
        CallerError, NotNow: nothing was started.
    Cancellation:
        the start goes on: once its row is committed, its run has a producer, whatever became of
        the request.
    """
    begun = await asyncio.shield(spawn(_refusal(_start(user_id, request)), name="start"))
    if isinstance(begun, ChatError):
        raise begun
    return begun


async def _refusal(starting: Coroutine[Any, Any, Begun]) -> Begun | ChatError:
    """Return the refusal: whoever asked may be gone, and it is no failure of the task."""
    try:
        return await starting
    except ChatError as error:
        return error


async def _start(user_id: Any, request: Start) -> Begun:
    worker = workers.current()
    try:
        async with asyncio.timeout(_REGISTRATION_SECONDS):
            await worker.registered.wait()
    except TimeoutError:
        raise StorageUnavailable from None
    starter = Starter(user_id, worker.id, len(worker.runs), worker.draining)
    try:
        begun = await threads.write(starting.begin, starter, request)
    except (DatabaseError, InterfaceError) as error:
        raise StorageUnavailable from error
    if begun.new is not None:
        runner.start(worker, begun.new, _source(begun))
    return begun


async def _source(begun: Begun) -> AsyncGenerator[Item]:
    """Make the source inside the run, so that what a provider raises is the run's failure."""
    assert begun.prompt is not None
    try:
        provider = providers[begun.provider]
    except KeyError:
        raise SourceFailed("upstream_refused", detail="no such provider") from None
    async with aclosing(provider.stream(begun.prompt)) as items:
        async for item in items:
            yield item


async def stop(user_id: Any, run_id: UUID) -> bool:
    """End a reply as a person's wish, on whichever worker it is produced.

    Returns:
        Whether it is settled already.
    Raises:
        NotFound: no such reply, or somebody else's.
    """
    settled = await threads.write(starting.request_stop, user_id, run_id)
    if not settled:
        runner.stop(workers.current(), run_id)
    return settled


async def delete_conversations(which: Q) -> None:
    """Delete conversations; what is live in them ends first."""
    for run_id in await threads.write(starting.discard, which):
        runner.stop(workers.current(), run_id, reason="deleted")


async def delete_message(user_id: Any, message_id: UUID) -> None:
    """Delete a message with what follows it in its branch."""
    for run_id in await threads.write(starting.discard_message, user_id, message_id):
        runner.stop(workers.current(), run_id, reason="deleted")
