"""Rates that this process counts by itself, in memory.

What the database knows is counted there, for all processes (`starting.py`); this is for what it
does not know, such as addresses.
"""

import math
import time
from functools import lru_cache

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter


@lru_cache(maxsize=1)
def _window() -> MovingWindowRateLimiter:
    return MovingWindowRateLimiter(MemoryStorage())


def wait_for(name: str, key: str, *, most_per_minute: int) -> int:
    """Count one more, if there is room in the last minute.

    Returns:
        0 where it was counted, else the seconds to wait.
    """
    item = RateLimitItemPerMinute(most_per_minute, namespace=name)
    if _window().hit(item, key):
        return 0
    return max(1, math.ceil(_window().get_window_stats(item, key).reset_time - time.time()))


def forget() -> None:
    """Begin anew; for tests."""
    _window.cache_clear()
