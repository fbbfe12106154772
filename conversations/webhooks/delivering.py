"""Delivers what waits for webhooks, beside everything else that a server process does."""

import asyncio
import logging
from functools import partial

from django.db import DatabaseError, InterfaceError

from conversations import conf
from conversations.webhooks import outbox, outgoing
from conversations.webhooks.outbox import Claimed
from streaming import threads, workers
from streaming.detached import spawn

logger = logging.getLogger(__name__)

MOST_AT_ONCE = 16
MOST_OF_ONE = 4
"""Attempts at one webhook at a time: a slow one leaves room for the others."""

_LOOK_SECONDS = 2.0
_PATIENCE_SECONDS = 3.0


class Deliverer:
    """Claims deliveries and tries them, each in a task that nobody can lose."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[None], Claimed] = {}
        self._news = asyncio.Event()

    def wake(self) -> None:
        """Look now: something was put into the outbox, or a place is free."""
        self._news.set()

    async def run(self) -> None:
        """Deliver until this is cancelled; then wait a moment for what is under way."""
        try:
            while True:
                self._news.clear()
                await self._look()
                try:
                    async with asyncio.timeout(_LOOK_SECONDS):
                        await self._news.wait()
                except TimeoutError:
                    pass
        finally:
            await self._end()

    async def _look(self) -> None:
        try:
            if not await threads.read(outbox.look):
                return
            room = MOST_AT_ONCE - len(self._tasks)
            if room <= 0:
                return
            # One webhook's share at a time: what is claimed may all be for the same one.
            most = min(room, MOST_OF_ONE)
            found = await threads.write(outbox.claim, most, self._busy())
            for claimed in found:
                task = spawn(self._try(claimed), name="deliver")
                self._tasks[task] = claimed
                task.add_done_callback(self._forget)
            if len(found) == most:
                self.wake()
        except (DatabaseError, InterfaceError) as error:
            logger.warning("Webhooks wait for storage: %s", type(error).__name__)

    def _busy(self) -> list[int]:
        tried = [claimed.webhook_id for claimed in self._tasks.values()]
        return [one for one in set(tried) if tried.count(one) >= MOST_OF_ONE]

    def _forget(self, task: "asyncio.Task[None]") -> None:
        self._tasks.pop(task, None)
        self.wake()

    async def _try(self, claimed: Claimed) -> None:
        answer = await outgoing.post(
            claimed.url,
            claimed.body.encode(),
            claimed.headers(),
            seconds=conf.webhooks_timeout_seconds(),
        )
        if not answer.taken:
            logger.info("Webhook %s did not take it: %s", claimed.webhook_id, answer.outcome)

        def finish() -> None:
            outbox.finish(claimed, answer.outcome, delivered=answer.taken, final=answer.gone)

        await threads.write(finish)

    async def _end(self) -> None:
        under_way = dict(self._tasks)
        if not under_way:
            return
        _, late = await asyncio.wait(under_way, timeout=_PATIENCE_SECONDS)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
        for task in late:
            await threads.write(outbox.give_back, under_way[task])


async def deliver() -> None:
    """Deliver until this is cancelled; for `streaming.asgi.wrap`."""
    deliverer = Deliverer()
    outbox.listener = partial(workers.current().run_soon, deliverer.wake)
    try:
        await deliverer.run()
    finally:
        outbox.listener = None
