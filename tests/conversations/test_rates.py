"""Rates of addresses: of one process, and with Redis of all."""

import asyncio
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
    async with rates.place(name, key, most_per_minute=2) as place:
        place.taken = not place.wait
    return place.wait


async def test_a_place_that_is_not_taken_is_given_back() -> None:
    for _ in range(3):
        async with rates.place("asking", "a", most_per_minute=1) as place:
            assert place.wait == 0


@pytest.mark.parametrize("with_redis", [False, True])
async def test_of_many_at_once_no_more_have_room_than_there_is(
    redis: RedisServer, settings: Settings, with_redis: bool
) -> None:
    settings.REDIS_URL = redis.url if with_redis else ""
    name = f"at once {with_redis}"
    everybody = asyncio.Barrier(5)

    async def come() -> bool:
        async with rates.place(name, "a", most_per_minute=2) as place:
            await everybody.wait()  # nobody is counted yet
            place.taken = not place.wait
        return place.taken

    assert sum(await asyncio.gather(*(come() for _ in range(5)))) == 2
    assert [await ask(name, key) > 0 for key in ("a", "b")] == [True, False]


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
