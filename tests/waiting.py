"""Waiting for what must become true, with a deadline instead of a sleep."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any

_PAUSE_SECONDS = 0.005


async def until(
    condition: Callable[[], Any | Awaitable[Any]], *, seconds: float = 20.0, what: str = ""
) -> Any:
    """Return what the condition gives once it is true; fail after the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds} s: {what or condition}"
        await asyncio.sleep(_PAUSE_SECONDS)
