"""Who watches this process's log: one look for all, four times a second, while anybody does."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator

from conversations.console.lines import EPOCH, Filter, Line, as_event_data, shaped
from conversations.console.tail import LINES, Kept, LogTail, of_this_process
from streaming.detached import spawn
from streaming.sse import ServerEvent

LOOK_SECONDS = 0.25
MOST_IN_A_LOOK = 50


class LogWatch:
    """Takes what is new from the handler, shapes it once, and wakes those who watch.

    What does not fit is dropped and counted: at most so many lines in a look, warnings first. A
    reader is a place in the last lines; one that does not read costs nothing but that.
    """

    def __init__(self, source: LogTail) -> None:
        self._source = source
        self._lines: deque[Line] = deque(maxlen=LINES)
        self._seen = 0
        self._published = 0
        self._news = asyncio.Event()
        self._ready = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.dropped = 0
        """Lines that nobody saw, since the first who watches now came."""
        self.watchers = 0

    async def read(self, wanted: Filter, *, after: int = 0) -> AsyncGenerator[ServerEvent | None]:
        """Give the last lines, then what comes.

        Args:
            after: the number of the last line that the reader has.
        Yields:
            events of lines, and None where a look brought nothing that is wanted.
        """
        self.watchers += 1
        try:
            await self._begin()
            at = self._published - len(self._lines)
            dropped = self.dropped
            while True:
                news = self._news
                behind = self._published - at
                missed = max(behind - len(self._lines), 0)
                new = list(self._lines)[-behind:] if behind else []
                at = self._published
                lines = [one for one in new if one.number > after and wanted.passes(one)]
                lost, dropped = self.dropped - dropped + missed, self.dropped
                if lines or lost:
                    number = lines[-1].number if lines else after
                    data = as_event_data(lines, lost)
                    yield ServerEvent(event="lines", id=f"{EPOCH}-{number}", data=data)
                else:
                    yield None
                if at == self._published:
                    await news.wait()
        finally:
            self.watchers -= 1

    async def _begin(self) -> None:
        """Begin to look, if nobody does; wait until the last lines are there."""
        if self._task is None or self._task.done():
            self._ready = asyncio.Event()
            self._task = spawn(self._look_while_watched(), name="console log")
        await self._ready.wait()

    async def _look_while_watched(self) -> None:
        self._lines.clear()
        self.dropped = 0
        kept = self._source.kept()[-LINES:]
        self._seen = kept[-1].number if kept else 0
        await self._publish(kept)
        self._ready.set()
        while self.watchers:
            await asyncio.sleep(LOOK_SECONDS)
            await self._look()

    async def _look(self) -> None:
        new = self._source.kept_since(self._seen)
        if new:
            made = new[-1].number - self._seen
            self._seen = new[-1].number
            chosen = _chosen(new)
            await self._publish(chosen)
            self.dropped += made - len(chosen)
        # Also without news: readers ask now and then whether they may still be here.
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def _publish(self, kept: list[Kept]) -> None:
        self._lines.extend(await asyncio.to_thread(self._shape, kept))
        self._published += len(kept)

    def _shape(self, kept: list[Kept]) -> list[Line]:
        return [shaped(one, self._source.formatter) for one in kept]


def _chosen(new: list[Kept]) -> list[Kept]:
    if len(new) <= MOST_IN_A_LOOK:
        return new
    by_weight = sorted(new, key=lambda one: (one.level >= 30, one.number))
    return sorted(by_weight[-MOST_IN_A_LOOK:])


_watch: LogWatch | None = None


def log_watch() -> LogWatch:
    """Return this process's; on its event loop."""
    global _watch
    if _watch is None:
        _watch = LogWatch(of_this_process())
    return _watch
