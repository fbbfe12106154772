"""One call at a time over everything that gathered meanwhile: the pace of the database sets it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from streaming.detached import spawn

T = TypeVar("T")
R = TypeVar("R")


class Gatherer(Generic[T, R]):
    """Carries out items in batches; one that comes alone is carried out at once.

    Args:
        carry_out: takes a batch and returns, for each item in order, its result or its error.
        most: items in a batch.
    """

    def __init__(
        self,
        carry_out: Callable[[list[T]], Awaitable[Sequence[R | Exception]]],
        *,
        most: int,
        name: str,
    ) -> None:
        self._carry_out = carry_out
        self._most = most
        self._name = name
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._task: asyncio.Task[None] | None = None

    async def submit(self, item: T) -> R:
        """Carry out an item with whatever else waits.

        Cancellation: the item is carried out all the same, by a held task.
        """
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._task is None or self._task.done():
            self._task = spawn(self._work(), name=self._name)
        return await asyncio.shield(future)

    async def _work(self) -> None:
        while self._waiting:
            batch = self._waiting[: self._most]
            del self._waiting[: self._most]
            try:
                results = await self._carry_out([item for item, _ in batch])
            except Exception as error:  # each waiter gets it; the next batch goes on
                results = [error] * len(batch)
            except asyncio.CancelledError:  # the interpreter ends: so do they who wait
                for _, future in [*batch, *self._waiting]:
                    future.cancel()
                self._waiting.clear()
                raise
            for (_, future), result in zip(batch, results, strict=True):
                _answer(future, result)


def _answer(future: "asyncio.Future[R]", result: R | Exception) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
        future.exception()  # whoever waited may be gone
    else:
        future.set_result(result)
