"""The outermost ASGI wrapper: the life of the worker, signals, drain, fresh contexts."""

import asyncio
import contextvars
import gc
import logging
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from types import FrameType
from typing import Any

from django.utils import autoreload

from streaming import threads, workers
from streaming.detached import spawn

logger = logging.getLogger(__name__)

Close = Callable[[], Awaitable[None]]
Task = Callable[[], Coroutine[Any, Any, None]]
_RELOAD_SECONDS = 2.5
_SWITCH_SECONDS = 0.0005


class Server:
    """Wraps an ASGI application.

    The worker begins at lifespan.startup, or at the first request where the server has no
    lifespan (daphne). Its drain begins at SIGTERM itself: uvicorn runs lifespan.shutdown only after
    the connections have ended.
    """

    def __init__(
        self, app: Any, *, beside: tuple[Task, ...] = (), closing: tuple[Close, ...] = ()
    ) -> None:
        self._app = app
        self._beside = beside
        self._closing = closing
        self._tasks: list[asyncio.Task[None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve lifespan here; everything else in a context of its own."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        self._begin()
        # uvicorn and daphne let requests of one connection inherit each other's context
        # (uvicorn#2167); behind a proxy these are different people.
        task = asyncio.get_running_loop().create_task(
            self._app(scope, receive, send), context=contextvars.Context()
        )
        await task

    async def _lifespan(self, receive: Any, send: Any) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._begin()
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self._end()
                await send({"type": "lifespan.shutdown.complete"})
                return

    def _begin(self) -> None:
        if self._loop is not None:
            return
        self._loop = asyncio.get_running_loop()
        workers.current()
        self._tasks = [spawn(task(), name=task.__name__) for task in self._beside]
        # What is loaded now stays: full collections need not walk it again (a third of a second
        # each, in the middle of somebody's stream).
        gc.collect()
        gc.freeze()
        # Every SQL statement lets go of the interpreter lock; while the loop is busy a database
        # thread would wait 5 ms for it each time, and readers for its commit.
        sys.setswitchinterval(_SWITCH_SECONDS)
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._chain(number)
        self._hook_twisted()
        autoreload.file_changed.connect(self._end_before_reload, weak=False)

    def _chain(self, number: signal.Signals) -> None:
        previous = signal.getsignal(number)

        def handle(signum: int, frame: FrameType | None) -> None:
            assert self._loop is not None
            self._loop.call_soon_threadsafe(workers.current().begin_drain)
            if callable(previous) and reactor() is not None:
                self._loop.call_soon_threadsafe(self._hand_on_after_drain, previous, signum)
            elif callable(previous):
                previous(signum, frame)
            elif previous == signal.SIG_DFL:
                signal.signal(number, signal.SIG_DFL)
                self._loop.call_soon_threadsafe(self._die_after_drain, number)

        signal.signal(number, handle)

    def _hand_on_after_drain(self, previous: Any, signum: int) -> None:
        """Let Twisted stop once all is settled: with its stop daphne cancels every application."""

        async def hand_on() -> None:
            try:
                await workers.current().drained()
            finally:
                previous(signum, None)

        self._dying = asyncio.ensure_future(hand_on())

    def _die_after_drain(self, number: signal.Signals) -> None:
        async def die() -> None:
            await self._end()
            signal.raise_signal(number)

        self._dying = asyncio.ensure_future(die())

    def _hook_twisted(self) -> None:
        """Make daphne's reactor wait for the drain: daphne has no lifespan."""
        running = reactor()
        if running is None:
            return
        from twisted.internet.defer import Deferred

        def wait() -> Any:
            return Deferred.fromFuture(asyncio.ensure_future(self._end()))

        running.addSystemEventTrigger("before", "shutdown", wait)

    async def _end(self) -> None:
        await workers.current().drained()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await threads.close_connections()
        for close in self._closing:
            try:
                await close()
            except Exception:  # the end of the process must still come
                logger.exception("Closing failed")

    def _end_before_reload(self, *, file_path: Path, **kwargs: Any) -> None:
        """Settle what is live before `runserver` replaces this process.

        Only a changed module reloads for certain; templates and translations do not.
        """
        loop = self._loop
        if file_path.suffix != ".py" or loop is None:
            return

        async def end() -> None:
            workers.current().begin_drain(seconds=0)
            await workers.current().drained()

        try:
            asyncio.run_coroutine_threadsafe(end(), loop).result(_RELOAD_SECONDS)
        except TimeoutError:
            logger.warning("The drain before a reload took too long; the next process settles")


def reactor() -> Any:
    """Return Twisted's reactor where it runs this process, which daphne then serves; else None."""
    found = sys.modules.get("twisted.internet.reactor")
    return found if getattr(found, "running", False) else None


def wrap(app: Any, *, beside: tuple[Task, ...] = (), closing: tuple[Close, ...] = ()) -> Server:
    """Wrap an ASGI application that streams.

    Args:
        beside: coroutine functions that run while the server does; cancelled after the drain.
        closing: called after the drain, e.g. to close upstream connections.
    """
    return Server(app, beside=beside, closing=closing)
