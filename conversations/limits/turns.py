"""Starts of one person, one after the other, before any of them takes a thread.

The person's row in the database lets them through one at a time in any case, whichever process they
come to. But whoever waits for a row holds one of the few threads that write, and starts of other
people would wait for a thread.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakValueDictionary

from conversations.exceptions import StorageUnavailable

_locks: WeakValueDictionary[Any, asyncio.Lock] = WeakValueDictionary()
"""One for each person who starts something now: it lasts as long as anybody holds or awaits it."""


@asynccontextmanager
async def turn(user_id: Any, *, seconds: float = 10.0) -> AsyncGenerator[None]:
    """Wait until no other start of this person is on its way in this process.

    Args:
        seconds: for how long.
    Raises:
        StorageUnavailable: those before it took too long.
    """
    lock = _locks.setdefault(user_id, asyncio.Lock())
    try:
        async with asyncio.timeout(seconds):
            await lock.acquire()
    except TimeoutError:
        raise StorageUnavailable from None
    try:
        yield
    finally:
        lock.release()
