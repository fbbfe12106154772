"""Many small items as few larger ones."""

import time
from collections.abc import AsyncGenerator, AsyncIterable
from typing import Any, TypeVar

from streaming.responses.pump import Late, Pump

S = TypeVar("S", str, bytes)


async def coalesced(
    items: AsyncIterable[S], *, most: int = 16_384, every_ms: float = 50
) -> AsyncGenerator[S]:
    """Join small items, by size or by time.

    What comes after a pause goes at once; what follows it gathers, until it is large enough or its
    time has come. Each piece is joined once, so the cost does not grow with the size.

    Args:
        most: characters, or bytes, after which a piece is given whatever the time; pieces are
            larger only where one item is.
        every_ms: the least time between two pieces that are smaller.
    Yields:
        all text, in order, and what had gathered before an error of the source.
    """
    pump = Pump(items)
    gathered: list[S] = []
    size = 0
    due = 0.0
    try:
        while True:
            left = due - time.monotonic()
            try:
                item = await pump.next(max(left, 0.0) if gathered else None)
            except Late:
                pass
            except BaseException as error:  # an end, an error: what had come goes first
                if gathered and isinstance(error, Exception):
                    yield _joined(gathered)
                if isinstance(error, StopAsyncIteration):
                    return
                raise
            else:
                gathered.append(item)
                size += len(item)
            if gathered and (size >= most or time.monotonic() >= due):
                yield _joined(gathered)
                gathered, size = [], 0
                due = time.monotonic() + every_ms / 1000
    finally:
        await pump.aclose()


def _joined(pieces: list[Any]) -> Any:
    return pieces[0][:0].join(pieces)
