"""Executors: one thread that can be parked, and the threads that touch the database."""

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache, partial
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from django.db import InterfaceError, InternalError, OperationalError, connection, connections

T = TypeVar("T")

AWAY = (OperationalError, InterfaceError, InternalError)
"""What a call raises while the database is away, its pool is exhausted, or it only reads.

Whatever else it raises is a mistake of ours, and the same call would make it again.
"""

_IDLE_CHECK_SECONDS = 1.0
_ENDING = "cannot schedule new futures after"  # what concurrent.futures says then
_CLOSE_SECONDS = 5.0


class ParkableThread(Executor):
    """One worker thread at a time, made when there is work, dropped by `park`.

    asgiref keeps the thread of a request for as long as the request lives; a stream lives for
    minutes and needs none. After `park` the next call gets a new thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._work: queue.SimpleQueue[Callable[[], None] | None] | None = None

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """Run one call on the thread."""
        future: Future[T] = Future()
        with self._lock:
            if self._work is None:
                self._work = queue.SimpleQueue()
                threading.Thread(
                    target=_serve, args=(self._work,), name="request", daemon=True
                ).start()
            self._work.put(partial(_run, future, fn, args, kwargs))
        return future

    @property
    def parked(self) -> bool:
        """Whether there is no thread now."""
        return self._work is None

    def park(self) -> None:
        """Let the thread end once it has done what it was given."""
        with self._lock:
            if self._work is not None:
                self._work.put(None)
                self._work = None

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the thread; never waits, so that the event loop cannot stall on it."""
        self.park()


def _serve(work: "queue.SimpleQueue[Callable[[], None] | None]") -> None:
    while True:
        job = work.get()
        if job is None:
            return
        job()
        del job


def _run(future: "Future[Any]", fn: Callable[..., Any], args: Any, kwargs: Any) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = fn(*args, **kwargs)
    except BaseException as error:  # the caller's future carries it, whatever it is
        future.set_exception(error)
    else:
        future.set_result(result)


def _executor(name: str, most: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=most, thread_name_prefix=f"holdfast-{name}")


@lru_cache(maxsize=1)
def _writers() -> ThreadPoolExecutor:
    return _executor("write", 1 if connection.vendor == "sqlite" else 3)


@lru_cache(maxsize=1)
def _journal() -> ThreadPoolExecutor:
    # SQLite has one writer at a time: every write of this process queues in one thread, fairly,
    # instead of busy-waiting for the file's lock (p99 5 ms against 600 ms).
    return _writers() if connection.vendor == "sqlite" else _executor("journal", 1)


@lru_cache(maxsize=1)
def _beats() -> ThreadPoolExecutor:
    return _writers() if connection.vendor == "sqlite" else _executor("beat", 1)


@lru_cache(maxsize=1)
def _readers() -> ThreadPoolExecutor:
    return _executor("read", 2)


@lru_cache(maxsize=1)
def _bulk() -> ThreadPoolExecutor:
    return _executor("bulk", 1)


async def write(function: Callable[..., T], *args: Any) -> T:
    """Run one transaction in a writer thread.

    Cancellation: a call that has begun runs to its end; shield what must begin.
    """
    return await _call(_writers(), function, args)


async def write_journal(function: Callable[..., T], *args: Any) -> T:
    """Run one commit of the journal, never behind other writes on PostgreSQL.

    Straight in its thread: `sync_to_async` costs as much as the commit of ten fragments.
    """
    loop = asyncio.get_running_loop()
    try:
        return await loop.run_in_executor(_journal(), _keep_connection, function, args)
    except RuntimeError as error:
        raise _as_the_end(error) from None


async def write_beat(function: Callable[..., T], *args: Any) -> T:
    """Run what liveness depends on, never behind other writes on PostgreSQL."""
    return await _call(_beats(), function, args)


async def read(function: Callable[..., T], *args: Any) -> T:
    """Run one read."""
    return await _call(_readers(), function, args)


async def bulk(function: Callable[..., T], *args: Any) -> T:
    """Run one step of something long, such as an export: no reader of a run waits behind it."""
    return await _call(_bulk(), function, args)


async def release_bulk() -> None:
    """Give back the connection of the thread for long things; a next step takes a new one."""
    await _call(_bulk(), connections.close_all, ())


async def _call(executor: ThreadPoolExecutor, function: Callable[..., T], args: Any) -> T:
    call = sync_to_async(_keep_connection, thread_sensitive=False, executor=executor)
    try:
        return await call(function, args)
    except RuntimeError as error:
        raise _as_the_end(error) from None


def _as_the_end(error: RuntimeError) -> BaseException:
    """The interpreter ends under us (Ctrl-C under `runserver`): so does whoever asked."""
    return asyncio.CancelledError() if str(error).startswith(_ENDING) else error


_last_used = threading.local()


def _keep_connection(function: Callable[..., T], args: Any) -> T:
    """Call with this thread's own connection, which stays open for the next call.

    Opening one costs more than most of our statements, and a thread that already holds one
    cannot wait for the pool while requests that hold theirs wait for this thread.
    """
    idle = time.monotonic() - getattr(_last_used, "at", 0.0) > _IDLE_CHECK_SECONDS
    if connection.connection is not None and idle and not connection.is_usable():
        connection.close()
    try:
        return function(*args)
    finally:
        _last_used.at = time.monotonic()
        if connection.errors_occurred and not connection.in_atomic_block:
            connection.close()
            connection.errors_occurred = False


async def close_connections() -> None:
    """Give back the connections of all database threads; for the end of a process or a test."""
    executors: set[ThreadPoolExecutor] = set()
    for made in (_writers, _journal, _beats, _readers, _bulk):
        if made.cache_info().currsize:
            executors.add(made())
            made.cache_clear()
    for executor in executors:
        # Each thread has connections of its own: nobody takes a second call before all have one.
        everyone = threading.Barrier(executor._max_workers)
        for _ in range(executor._max_workers):
            executor.submit(_close_own, everyone)
        await asyncio.to_thread(executor.shutdown)


def _close_own(everyone: threading.Barrier) -> None:
    connections.close_all()
    with suppress(threading.BrokenBarrierError):
        everyone.wait(_CLOSE_SECONDS)
