"""Django's handler: what a stream gives back, and that it is always closed."""

import asyncio
import threading
from collections.abc import Iterator
from functools import partial

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, connections
from pytest_django import Settings

from streaming.handler import StreamingASGIHandler
from streaming.workers import LocalWorker
from tests.streaming import urls
from tests.streaming.behind import RUN, behind
from tests.streaming.requests import Request
from tests.waiting import until

STREAMS = 200


@pytest.fixture
def handler(settings: Settings) -> Iterator[StreamingASGIHandler]:
    settings.ROOT_URLCONF = "tests.streaming.urls"
    settings.MIDDLEWARE = ["django.middleware.security.SecurityMiddleware"]
    urls.closed.clear()
    urls.resting.clear()
    yield StreamingASGIHandler()


@pytest.fixture(autouse=True)
async def real_threads(database_threads: None) -> None:
    """Requests use threads and connections of their own."""


def held() -> int:
    """Connections that are out of the pool, or 0 where there is none."""
    if connection.vendor != "postgresql":
        return 0
    stats = connections["default"].pool.get_stats()  # type: ignore[attr-defined]
    return int(stats["pool_size"] - stats["pool_available"])


def _all_begun(requests: list[Request]) -> bool:
    return all(request.body == b"first" for request in requests)


def request_threads() -> int:
    return sum(thread.name == "request" for thread in threading.enumerate())


async def test_open_streams_hold_no_connection_and_no_thread(
    handler: StreamingASGIHandler,
) -> None:
    """More streams than the pool has connections."""
    before = held()
    requests: list[Request] = []
    for _ in range(STREAMS // 10):
        some = [Request(handler, "/waits") for _ in range(10)]
        requests += some
        await until(partial(_all_begun, some), seconds=20)
    await until(lambda: request_threads() == 0)
    assert held() == before
    for request in requests:
        request.leave()
    await asyncio.gather(*(request.over(seconds=20) for request in requests))
    assert urls.closed.count("stream") == urls.closed.count("response") == STREAMS
    await until(lambda: request_threads() == 0)
    assert held() == before


async def test_requests_that_wait_for_something_else_hold_no_connection(
    handler: StreamingASGIHandler,
) -> None:
    """More of them than the pool has connections, as when starts queue for their transactions."""
    before = held()
    requests = [Request(handler, "/rests") for _ in range(15)]
    await until(lambda: len(urls.resting) == 15)
    await until(lambda: held() == before)
    for request in requests:
        request.leave()
    await asyncio.gather(*(request.over() for request in requests))


async def test_readers_who_come_back_hold_no_connection_while_their_reply_is_looked_for(
    handler: StreamingASGIHandler, current_worker: LocalWorker
) -> None:
    """More of them than the pool has connections, which their looks need, too."""
    with behind() as database:
        database.begin()
        if not database.sqlite:
            database.execute(f"LOCK TABLE {RUN} IN ACCESS EXCLUSIVE MODE")
        requests = [Request(handler, "/resumes") for _ in range(15)]
        await until(lambda: len(urls.resting) == 15)
        database.commit()
    await asyncio.gather(*(request.over() for request in requests))
    assert {request.body for request in requests} == {b"gone"}


async def test_an_exception_in_mid_stream_closes_the_response_every_time(
    handler: StreamingASGIHandler,
) -> None:
    """More often than the pool has connections: each came back."""
    before = held()
    for _ in range(15):
        request = Request(handler, "/breaks")
        with pytest.raises(RuntimeError, match="planted"):
            await request.over()
        assert not request.complete
    assert urls.closed.count("response") == 15
    assert held() == before
    plain = Request(handler, "/plain")
    await plain.over()
    assert plain.status == 200


async def test_a_client_that_leaves_ends_its_stream_quietly(
    handler: StreamingASGIHandler, caplog: pytest.LogCaptureFixture
) -> None:
    request = Request(handler, "/waits")
    await until(lambda: request.body)
    request.leave()
    await request.over()
    assert urls.closed == ["stream", "response"]
    assert [r for r in caplog.records if r.levelname in ("ERROR", "WARNING")] == []


async def test_a_connection_that_is_reset_ends_its_stream_quietly(
    handler: StreamingASGIHandler, caplog: pytest.LogCaptureFixture
) -> None:
    request = Request(handler, "/waits")
    request.refuses = True
    await request.over()
    assert urls.closed == ["response"]
    assert [r for r in caplog.records if r.levelname in ("ERROR", "WARNING")] == []


@pytest.mark.parametrize("path", ["/waits", "/hangs"])
async def test_a_request_that_the_server_cancels_leaves_nothing_behind(
    handler: StreamingASGIHandler, path: str
) -> None:
    tasks = len(asyncio.all_tasks())
    before = held()
    request = Request(handler, path)
    await until(lambda: request.body if path == "/waits" else request_threads())
    request.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request.task
    await until(lambda: request_threads() == 0)
    assert len(asyncio.all_tasks()) == tasks
    await until(lambda: held() == before)
    if path == "/waits":
        assert urls.closed == ["stream", "response"]


async def test_requests_at_the_same_time_have_threads_of_their_own(
    handler: StreamingASGIHandler,
) -> None:
    requests = [Request(handler, "/plain") for _ in range(8)]
    await asyncio.gather(*(request.over() for request in requests))
    assert {request.status for request in requests} == {200}
    await until(lambda: request_threads() == 0)


async def test_sync_middleware_may_stand_in_the_way(
    handler: StreamingASGIHandler, settings: Settings
) -> None:
    settings.MIDDLEWARE = ["tests.streaming.middleware.sync_only"]
    request = Request(StreamingASGIHandler(), "/waits")
    await until(lambda: request.body)
    await until(lambda: request_threads() == 0)
    assert request.headers["X-Sync"] == "1"
    request.leave()
    await request.over()
    await sync_to_async(connections.close_all)()
