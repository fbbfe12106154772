"""What a worker has still to say; what gathers while one message is on its way goes together."""

import asyncio
from collections import deque
from collections.abc import Iterable
from uuid import UUID

from streaming.waking.messages import Follow, Message, News, chunks

_MOST = 1000


class Outgoing:
    """Messages by their addresses, merged."""

    def __init__(self) -> None:
        self._news: dict[UUID, dict[UUID, None]] = {}
        self._follow: dict[UUID, dict[UUID, None]] = {}
        self._others: deque[tuple[str, Message]] = deque(maxlen=_MOST)
        self._work = asyncio.Event()
        self._said = asyncio.Event()
        self._said.set()

    def tell(self, follower: UUID, runs: Iterable[UUID]) -> None:
        """Tell a follower of news; of none, that we have heard it."""
        self._news.setdefault(follower, {}).update(dict.fromkeys(runs))
        self._begin()

    def follow(self, owner: UUID, run_id: UUID) -> None:
        """Tell the worker that produces a run that it is read here."""
        self._follow.setdefault(owner, {})[run_id] = None
        self._begin()

    def add(self, address: str, message: Message) -> None:
        """Say anything else; while the line is stuck the oldest goes."""
        self._others.append((address, message))
        self._begin()

    async def next(self, sender: UUID) -> list[tuple[str, Message]]:
        """Wait until there is something to say, and take all of it."""
        if not self._work.is_set():
            self._said.set()
        await self._work.wait()
        self._work.clear()
        messages = list(self._others)
        self._others.clear()
        follow, self._follow = self._follow, {}
        news, self._news = self._news, {}
        for owner, runs in follow.items():
            messages += [(owner.hex, Follow(sender, some)) for some in chunks(list(runs))]
        for follower, runs in news.items():
            messages += [(follower.hex, News(sender, some)) for some in chunks(list(runs))]
        return messages

    async def all_said(self) -> None:
        """Wait until whoever takes messages has nothing more to take."""
        await self._said.wait()

    def _begin(self) -> None:
        self._work.set()
        self._said.clear()
