"""Rates that the database does not know, such as those of addresses.

Counted in Redis for all workers where there is one, else by this process in memory: also while
Redis is away, which keeps nobody waiting for more than a moment. Never asked inside a transaction,
or in a thread that commits.
"""

import asyncio
import logging
import math
import time
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


async def wait_for(name: str, key: str, *, most_per_minute: int) -> int:
    """Say for how long somebody has to wait; nothing is counted.

    Returns:
        the seconds to wait, 0 where there is room.
    """
    return await _ask(name, key, most_per_minute, counts=False)


async def count(name: str, key: str, *, most_per_minute: int) -> None:
    """Count one, in a window of a minute."""
    await _ask(name, key, most_per_minute, counts=True)


async def _ask(name: str, key: str, most_per_minute: int, *, counts: bool) -> int:
    item = RateLimitItemPerMinute(most_per_minute, namespace=name)
    url = redis_url()
    if url and time.monotonic() >= _Away.until:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS * 2):  # a name may take long to resolve
                return await asyncio.to_thread(_ask_redis, url, item, key, counts=counts)
        except Exception as error:  # of Redis, of its client, of the network
            _Away.until = time.monotonic() + _AWAY_SECONDS
            logger.warning("Each worker counts rates for itself: %s", type(error).__name__)
    return _look(_own(), item, key, counts=counts)


def _ask_redis(url: str, item: RateLimitItemPerMinute, key: str, *, counts: bool) -> int:
    return _look(_of_all(url), item, key, counts=counts)


def _look(
    window: MovingWindowRateLimiter, item: RateLimitItemPerMinute, key: str, *, counts: bool
) -> int:
    has_room = window.hit(item, key) if counts else window.test(item, key)
    if has_room:
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
