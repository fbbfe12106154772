"""A source that is read by one task, so that its reader can wait for it with a limit of time."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any, Generic, TypeVar

from streaming.responses.stream import close_source

T = TypeVar("T")

_MOST_ERRORS_IN_A_ROW = 10


class Late(Exception):
    """Nothing came in time; the source goes on."""


class Pump(Generic[T]):
    """Reads a source one item ahead, and closes it, all in one task of its own.

    `asyncio.wait_for` around `anext` would end the source with the first silence, and whatever
    holds cancel scopes must be closed in the task that opened it.
    """

    def __init__(self, source: AsyncIterable[T]) -> None:
        self._source = source
        self._iterator: AsyncIterator[T] | None = None
        self._items: asyncio.Queue[T | Exception] = asyncio.Queue(1)
        self._task: asyncio.Task[None] | None = None

    async def next(self, seconds: float | None) -> T:
        """Return the next item.

        Raises:
            Late: it takes longer than this.
            StopAsyncIteration: there is none.
            Exception: what the source raised; another call asks it again.
        """
        if self._task is None:
            self._task = asyncio.create_task(self._read(), name="pump")
        try:
            async with asyncio.timeout(seconds):
                item = await self._items.get()
        except TimeoutError:
            raise Late from None
        if isinstance(item, Exception):
            raise item
        return item

    async def aclose(self) -> None:
        """End the task; the source is closed when this returns."""
        task = self._task
        if task is None:
            await close_source(self._source)
            return
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled() and task.exception() is not None:
            raise task.exception()  # type: ignore[misc]

    async def _read(self) -> None:
        try:
            iterator: Any = aiter(self._source)
        except Exception as error:  # the reader's; else it would wait for ever
            await self._items.put(error)
            await self._items.put(StopAsyncIteration())
            return
        try:
            await self._hand_over(iterator)
        finally:
            await close_source(iterator)

    async def _hand_over(self, iterator: AsyncIterator[T]) -> None:
        errors = 0
        while errors < _MOST_ERRORS_IN_A_ROW:
            try:
                item: T | Exception = await anext(iterator)
                errors = 0
            except StopAsyncIteration as end:
                await self._items.put(end)
                return
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                # Something that the source waited for was cancelled, and not we.
                await self._items.put(RuntimeError("The source was cancelled from within."))
                break
            except Exception as error:  # the reader decides; an iterator may go on
                item = error
                errors += 1
            await self._items.put(item)
        await self._items.put(StopAsyncIteration())
