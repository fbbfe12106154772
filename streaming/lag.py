"""How late the event loop is: every stream of the process waits for it."""

import asyncio
import time

from streaming import metrics

_PAUSE_SECONDS = 0.05


async def measure_forever() -> None:
    """Make appointments with the loop, and note how late it comes."""
    while True:
        due = time.monotonic() + _PAUSE_SECONDS
        await asyncio.sleep(_PAUSE_SECONDS)
        metrics.loop_lag_seconds.observe(max(time.monotonic() - due, 0.0))
