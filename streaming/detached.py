"""Tasks that outlive whoever starts them."""

import asyncio
import contextvars
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

from asgiref.sync import ThreadSensitiveContext
from django.db import connections

from streaming.threads import ParkableThread

logger = logging.getLogger(__name__)
T = TypeVar("T")

_held: set[asyncio.Task[Any]] = set()


def spawn(coroutine: Coroutine[Any, Any, T], *, name: str) -> "asyncio.Task[T]":
    """Start a task that owns nothing of the caller and that nobody can lose.

    It runs in a fresh context, has a thread of its own for thread-sensitive calls (a task that
    inherits a request's would run them on a dead or leaked thread), is held until it ends, and
    logs the exception that nobody awaits.
    """
    loop = asyncio.get_running_loop()
    task = loop.create_task(_isolated(coroutine), name=name, context=contextvars.Context())
    _held.add(task)
    task.add_done_callback(_release)
    return task


async def outlast(task: "asyncio.Task[T]") -> T:
    """Await a task through any number of cancellations of the caller.

    Cancellation: the task goes on; the caller's cancellation is raised once the task is done.
    """
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
        except Exception:
            break  # the task's own exception: raised by result() below
    if cancelled is not None:
        raise cancelled
    return task.result()


async def _isolated(coroutine: Coroutine[Any, Any, T]) -> T:
    thread = ParkableThread()
    async with ThreadSensitiveContext(executor=thread):
        try:
            return await coroutine
        finally:
            if not thread.parked:
                thread.submit(connections.close_all)
                thread.park()


def _release(task: "asyncio.Task[Any]") -> None:
    _held.discard(task)
    if not task.cancelled() and task.exception() is not None:
        logger.error("Task %s failed", task.get_name(), exc_info=task.exception())
