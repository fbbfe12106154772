"""The application of `benchmarks/flood.py`: ours, and a thread that floods its log when asked.

The lines go to the console's handler alone, if there is one: no terminal takes so many.
"""

import logging
import os
import threading
import time
from typing import Any

from chatproject.asgi import application as ours

_LINES_PER_SECOND = int(os.environ.get("FLOOD_LINES_PER_SECOND", "50000"))
_TICK_SECONDS = 0.005

logger = logging.getLogger("conversations.flood")
made = 0


def _flood() -> None:
    global made
    begun = time.perf_counter()
    while True:
        due = int((time.perf_counter() - begun) * _LINES_PER_SECOND)
        # What cannot be made in time is not made up for: a flood, and no burst.
        for number in range(made, min(due, made + _LINES_PER_SECOND // 20)):
            logger.info("line %d of a flood, from %s", number, "a thread")
            made += 1
        time.sleep(_TICK_SECONDS)


def _begin() -> None:
    logging.raiseExceptions = False
    root = logging.getLogger()
    console = [one for one in root.handlers if one.name == "console"]
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.handlers = [*(console or [logging.NullHandler()])]
    threading.Thread(target=_flood, name="flood", daemon=True).start()


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Serve; `/flood` begins the flood, `/flooded` tells how many lines there were."""
    if scope["type"] == "http" and scope["path"] in ("/flood", "/flooded"):
        if scope["path"] == "/flood":
            _begin()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(made).encode()})
        return
    await ours(scope, receive, send)
