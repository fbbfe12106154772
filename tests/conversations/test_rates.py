"""Rates of addresses: of one process, and with Redis of all."""

import time
from collections.abc import Iterator

import pytest

from conversations.limits import rates
from tests.conftest import Settings
from tests.redis_server import RedisServer

pytestmark = pytest.mark.redis


@pytest.fixture(autouse=True)
def nothing_counted() -> Iterator[None]:
    rates.forget()
    yield
    rates.forget()


async def ask(name: str, key: str) -> int:
    """Come twice in a minute at most; somebody who need not wait is counted."""
    wait = await rates.wait_for(name, key, most_per_minute=2)
    if not wait:
        await rates.count(name, key, most_per_minute=2)
    return wait


async def test_who_only_asks_is_not_counted() -> None:
    assert [await rates.wait_for("asking", "a", most_per_minute=1) for _ in range(3)] == [0, 0, 0]


async def test_with_redis_all_workers_count_together(
    redis: RedisServer, settings: Settings
) -> None:
    settings.REDIS_URL = redis.url
    assert [await ask("together", "a") for _ in range(2)] == [0, 0]
    rates.forget()  # as another worker, which has counted nothing yet
    assert 0 < await ask("together", "a") <= 60
    assert await ask("together", "b") == 0


async def test_while_redis_is_away_each_worker_counts_for_itself_without_waiting(
    redis: RedisServer, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REDIS_URL = redis.url
    assert await ask("away", "a") == 0
    redis.stop()
    begun = time.monotonic()
    counted = [await ask("away", "a") for _ in range(3)]
    took = time.monotonic() - begun
    redis.start()
    assert [bool(wait) for wait in counted] == [False, False, True]
    assert took < 2
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert str(redis.port) not in caplog.text
    rates.forget()
    redis.ask("FLUSHALL")
    assert await ask("away", "a") == 0
