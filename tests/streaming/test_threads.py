"""The thread that can be parked, and the threads of the database."""

import asyncio
import threading

import pytest
from django.db import connection

from streaming import threads
from streaming.threads import ParkableThread
from tests.waiting import until


def test_calls_run_one_after_the_other_on_one_thread() -> None:
    parkable = ParkableThread()
    seen = [parkable.submit(threading.current_thread) for _ in range(5)]
    assert len({future.result(5).ident for future in seen}) == 1
    parkable.park()


def test_there_is_no_thread_before_the_first_call_and_none_after_park() -> None:
    parkable = ParkableThread()
    assert parkable.parked
    thread = parkable.submit(threading.current_thread).result(5)
    assert not parkable.parked
    parkable.park()
    parkable.park()
    thread.join(5)
    assert parkable.parked and not thread.is_alive()


def test_what_was_given_before_park_is_still_done() -> None:
    parkable = ParkableThread()
    gate = threading.Event()
    parkable.submit(gate.wait, 5)
    last = parkable.submit(lambda: "done")
    parkable.park()
    gate.set()
    assert last.result(5) == "done"


def test_a_call_after_park_gets_a_new_thread() -> None:
    parkable = ParkableThread()
    first = parkable.submit(threading.current_thread).result(5)
    parkable.park()
    first.join(5)
    second = parkable.submit(threading.current_thread).result(5)
    assert second is not first
    parkable.shutdown()
    second.join(5)


def test_an_exception_reaches_the_caller_and_not_the_thread() -> None:
    parkable = ParkableThread()

    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        parkable.submit(fail).result(5)
    assert parkable.submit(lambda: 1).result(5) == 1
    parkable.park()


def test_a_cancelled_call_is_not_made() -> None:
    parkable = ParkableThread()
    gate = threading.Event()
    parkable.submit(gate.wait, 5)
    called: list[int] = []
    future = parkable.submit(called.append, 1)
    assert future.cancel()
    gate.set()
    parkable.submit(lambda: None).result(5)
    assert called == []
    parkable.park()


async def test_writes_of_sqlite_are_made_by_one_thread(database_threads: None) -> None:
    calls = [threads.write, threads.write_journal, threads.write_beat]
    found = await asyncio.gather(*(call(threading.current_thread) for call in calls * 4))
    if connection.vendor == "sqlite":
        assert len(set(found)) == 1
    else:
        journal = await threads.write_journal(threading.current_thread)
        beat = await threads.write_beat(threading.current_thread)
        assert len({journal, beat, await threads.write(threading.current_thread)}) == 3


async def test_a_database_thread_keeps_its_connection(database_threads: None) -> None:
    def raw() -> object:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return connection.connection

    assert await threads.write_journal(raw) is await threads.write_journal(raw)


async def test_closing_gives_back_every_connection(database_threads: None) -> None:
    barrier = threading.Barrier(2)

    def use() -> threading.Thread:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        barrier.wait(5)
        return threading.current_thread()

    used = await asyncio.gather(threads.read(use), threads.read(use))
    await threads.close_connections()
    await until(lambda: not any(thread.is_alive() for thread in used))
    assert await threads.read(threading.current_thread) not in used
