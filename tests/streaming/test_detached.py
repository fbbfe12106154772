"""Tasks that outlive whoever starts them."""

import asyncio
import contextvars
import gc
import logging
import threading
import weakref

import pytest
from asgiref.sync import ThreadSensitiveContext, sync_to_async

from streaming.detached import spawn
from tests.waiting import until

who: contextvars.ContextVar[str] = contextvars.ContextVar("who")


async def test_a_task_knows_nothing_of_its_starter() -> None:
    who.set("Alice")

    async def look() -> str:
        return who.get("nobody")

    assert await spawn(look(), name="look") == "nobody"


async def test_a_task_goes_on_when_its_starter_is_cancelled() -> None:
    done = asyncio.Event()
    gate = asyncio.Event()

    async def work() -> None:
        await gate.wait()
        done.set()

    async def request() -> None:
        await asyncio.shield(spawn(work(), name="work"))

    task = asyncio.create_task(request())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    gate.set()
    async with asyncio.timeout(5):
        await done.wait()


async def test_a_task_that_nobody_holds_is_held() -> None:
    async def work() -> None:
        # Only the task refers to it, and only it to the task: without a holder both are garbage.
        await asyncio.get_running_loop().create_future()

    task = weakref.ref(spawn(work(), name="work"))
    for _ in range(3):
        await asyncio.sleep(0)
    gc.collect()
    held = task()
    assert held is not None
    held.cancel()
    await asyncio.gather(held, return_exceptions=True)


async def test_what_nobody_awaits_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    task = spawn(fail(), name="doomed")
    await asyncio.gather(task, return_exceptions=True)
    await until(lambda: caplog.records)
    [record] = [r for r in caplog.records if r.levelno >= logging.ERROR]
    assert "doomed" in record.getMessage() and record.exc_info


async def test_a_task_has_a_thread_of_its_own_that_ends_with_it() -> None:
    """A task that inherits a request's thread works on a dead one once the request is over."""

    async def look() -> threading.Thread:
        return await sync_to_async(threading.current_thread)()

    async with ThreadSensitiveContext():
        mine = await look()
        theirs = await spawn(look(), name="look")
    assert theirs is not mine
    await until(lambda: not theirs.is_alive())


async def test_a_cancelled_task_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    task = spawn(asyncio.Event().wait(), name="waits")
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [r for r in caplog.records if r.levelno >= logging.ERROR] == []
