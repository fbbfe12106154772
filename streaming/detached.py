"""Tasks that outlive whoever starts them."""

import asyncio
import contextvars
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from asgiref.sync import ThreadSensitiveContext
from django.db import DatabaseError, InterfaceError, connections

from streaming.threads import ParkableThread

logger = logging.getLogger(__name__)
T = TypeVar("T")
Step = Callable[[], Coroutine[Any, Any, None]]

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


def repeat(step: Step, *, every_seconds: float, name: str) -> "asyncio.Task[None]":
    """Spawn a task that makes a step again and again; a failing one does not end it."""

    async def forever() -> None:
        while True:
            await asyncio.sleep(every_seconds)
            await _try(step, name)

    return spawn(forever(), name=name)


def once(step: Step, *, name: str) -> "asyncio.Task[None]":
    """Spawn a step that may fail: something makes it again."""
    return spawn(_try(step, name), name=name)


async def _try(step: Step, name: str) -> None:
    try:
        await step()
    except (DatabaseError, InterfaceError) as error:
        logger.warning("%s waits for storage: %s", name.capitalize(), type(error).__name__)
    except Exception:  # other people's runs depend on the next step
        logger.exception("%s failed; it goes on", name.capitalize())


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
