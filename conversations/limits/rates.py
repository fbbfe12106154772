"""Rates that the database does not know, such as those of addresses.

Counted in Redis for all workers where there is one, else by this process in memory: also while
Redis is away, which keeps nobody waiting for more than a moment. Never asked inside a transaction,
or in a thread that commits.
"""

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter

from streaming.waking.lines import redis_url

logger = logging.getLogger(__name__)

_PATIENCE_SECONDS = 0.5
_AWAY_SECONDS = 10.0


class _Away:
    """Until when Redis is not asked, in monotonic time."""

    until = 0.0


_held: Counter[tuple[str, str]] = Counter()
"""Places of this process that are not counted yet."""


class Place:
    """Room for one in a window of a minute."""

    def __init__(self, wait: int) -> None:
        self.wait = wait
        """The seconds to wait where there is no room, else 0."""
        self.taken = False
        """Whether it is to be counted; set by whoever holds it."""


@asynccontextmanager
async def place(name: str, key: str, *, most_per_minute: int) -> AsyncGenerator[Place]:
    """Hold a place, which is counted in the end if it was taken.

    Whoever comes to this process meanwhile finds it held: of many at once no more have room than
    there is.

    Args:
        key: empty where nobody knows whose it is: there is no limit then.
        most_per_minute: 0 is no limit.
    """
    if not most_per_minute or not key:
        yield Place(0)
        return
    _held[name, key] += 1
    try:
        wait = await _ask(name, key, most_per_minute, with_held=_held[name, key])
        held = Place(wait)
        yield held
        if held.taken:
            await count(name, key, most_per_minute=most_per_minute)
    finally:
        _held[name, key] -= 1
        if not _held[name, key]:
            del _held[name, key]


async def count(name: str, key: str, *, most_per_minute: int) -> int:
    """Count one, in a window of a minute, where there is room.

    Returns:
        the seconds to wait, 0 where it was counted.
    """
    return await _ask(name, key, most_per_minute)


async def _ask(name: str, key: str, most_per_minute: int, *, with_held: int = 0) -> int:
    """Count one or, with those that are held, look whether there is room for them."""
    item = RateLimitItemPerMinute(most_per_minute, namespace=name)
    url = redis_url()
    if url and time.monotonic() >= _Away.until:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS * 2):  # a name may take long to resolve
                return await asyncio.to_thread(_ask_redis, url, item, key, with_held)
        except Exception as error:  # of Redis, of its client, of the network
            _Away.until = time.monotonic() + _AWAY_SECONDS
            logger.warning("Each worker counts rates for itself: %s", type(error).__name__)
    return _look(_own(), item, key, with_held)


def _ask_redis(url: str, item: RateLimitItemPerMinute, key: str, with_held: int) -> int:
    return _look(_of_all(url), item, key, with_held)


def _look(
    window: MovingWindowRateLimiter, item: RateLimitItemPerMinute, key: str, with_held: int
) -> int:
    if window.test(item, key, cost=with_held) if with_held else window.hit(item, key):
        return 0
    return max(1, math.ceil(window.get_window_stats(item, key).reset_time - time.time()))


@lru_cache(maxsize=1)
def _own() -> MovingWindowRateLimiter:
    return MovingWindowRateLimiter(MemoryStorage())


@lru_cache(maxsize=1)
def _of_all(url: str) -> MovingWindowRateLimiter:
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    options: dict[str, Any] = {
        "socket_timeout": _PATIENCE_SECONDS,
        "socket_connect_timeout": _PATIENCE_SECONDS,
        "retry": Retry(NoBackoff(), 0),
    }
    return MovingWindowRateLimiter(RedisStorage(url, key_prefix="holdfast", **options))


def forget() -> None:
    """Begin anew; for tests."""
    _own.cache_clear()
    _of_all.cache_clear()
    _Away.until = 0.0
