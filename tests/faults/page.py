"""One reader as a page is one: it comes back with its cursor until it has been told the end."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeVar

from tests.integration.client import Client, Refused
from tests.integration.law import Reading
from tests.integration.ledger import Json
from tests.integration.socket_reader import SocketReader

Transport = Literal["sse", "socket"]
T = TypeVar("T")

ATTEMPT_SECONDS = 10.0
SILENT_SECONDS = 5.0
"""Without any event, not even a ping, a page takes its connection for dead."""
AGAIN = (502, 503, 504)
"""What a proxy or a draining worker answers: ask again."""
_RELOADED = 0.3
"""How often a person reloads the page, in place of a connection that comes back by itself."""
LOOK_SECONDS = 0.02


class Page:
    """A reader of one reply, over as many connections as it takes."""

    def __init__(
        self, client: Client, conversation: str, run_id: str, transport: Transport, seed: int
    ) -> None:
        self.client = client
        self.conversation = conversation
        self.run_id = run_id
        self.transport = transport
        self.rng = random.Random(seed)
        self.segments: list[Reading] = []
        """What it read over each connection; each begins where the one before it came to."""
        self.news: list[float] = [time.monotonic()]
        """When it began, and whenever it had something new."""
        self.every_seconds = LOOK_SECONDS
        """Time between two looks at what has come; a crowd looks less often."""
        self.act: tuple[str, int] | None = None
        """How it leaves, and after how many characters, before it comes back."""
        self.acted_at: float | None = None
        self.attempts = 0
        self.loads: list[tuple[str, str]] = []
        """For each time that it was loaded anew: what it had shown, and the text that it found."""
        self._loaded_cursor = "0-0"
        self._loaded_segments = 0
        self._received = 0

    @property
    def ended(self) -> Json | None:
        return self.segments[-1].ended if self.segments else None

    @property
    def cursor(self) -> str:
        since = self.segments[self._loaded_segments :]
        return since[-1].ledger.cursor if since else self._loaded_cursor

    @property
    def received(self) -> int:
        return sum(segment.ledger.received for segment in self.segments)

    @property
    def shown(self) -> str:
        """All text that is shown, joined."""
        since = self.segments[self._loaded_segments :]
        loaded = self.loads[-1][1] if self.loads else ""
        return loaded + "".join(segment.ledger.text for segment in since)

    def look(self) -> None:
        """Note the time if something new has come."""
        received = self.received + (self.ended is not None)
        if received != self._received:
            self._received = received
            self.news.append(time.monotonic())

    def silence(self, injected: float, over: float) -> float | None:
        """Return the longest silence after a fault was over; None where it was not touched."""
        gaps = zip(self.news, self.news[1:], strict=False)
        found = [end - max(begin, over) for begin, end in gaps if end > injected]
        return max(0.0, *found) if found else None

    async def send(self, conversation: str, content: str, **fields: Any) -> None:
        """Start the reply: the same request again until it is accepted."""
        fields |= {"reply_id": self.run_id}

        async def ask() -> Reading:
            if self.transport == "sse":
                return await self.client.send(conversation, content, **fields)
            return await SocketReader.send(self.client, conversation, content, **fields)

        self.segments.append(await self.insist(ask))

    async def follow(self) -> None:
        """Subscribe from where it is."""

        async def ask() -> Reading:
            if self.transport == "sse":
                return await self.client.follow(self.run_id, self.cursor)
            return await SocketReader.follow(self.client, self.run_id, self.cursor)

        self.segments.append(await self.insist(ask))

    async def read_to_the_end(self) -> None:
        """Read; come back whenever the connection is gone or silent."""
        if not self.segments:
            await self.follow()
        while not self.ended:
            await self._until_over(self.segments[-1])
            if not self.ended:
                if self.rng.random() < _RELOADED:
                    await self.load()
                await self.follow()

    async def load(self) -> None:
        """Be loaded anew: show the text that is stored, and go on from the cursor beside it."""
        found = await self.insist(lambda: self.message(seconds=ATTEMPT_SECONDS))
        self.loads.append((self.shown, found["content"]))
        self._loaded_cursor, self._loaded_segments = found["cursor"], len(self.segments)

    async def message(self, *, seconds: float) -> Json:
        """Read the reply as it is stored.

        Raises:
            Refused: the answer is no list of messages.
        """
        path = f"/api/conversations/{self.conversation}/messages"
        answer = await self.client.request("GET", path, seconds=seconds)
        if answer.status != 200:
            raise Refused(answer.status, answer.body[:500])
        found = [m for m in answer.json()["messages"] if m["id"] == self.run_id]
        assert len(found) == 1, f"{len(found)} rows of reply {self.run_id}"
        return dict(found[0])

    async def stop(self) -> None:
        """Press Stop, until somebody has heard it."""

        async def ask() -> None:
            answer = await self.client.stop(self.run_id)
            if answer.status not in (200, 202):
                raise Refused(answer.status, answer.body[:500])

        await self.insist(ask)

    async def _until_over(self, segment: Reading) -> None:
        events, heard = 0, time.monotonic()
        while not segment.closed.is_set() and not segment.left and not segment.ended:
            await asyncio.sleep(self.every_seconds)
            if self.act is not None and self.received >= self.act[1]:
                await self._leave(segment, self.act[0])
            now = time.monotonic()
            if len(segment.ledger.events) != events:
                events, heard = len(segment.ledger.events), now
            elif now - heard > SILENT_SECONDS:
                segment.rst()
        if not segment.left:
            segment.fin()

    async def _leave(self, segment: Reading, how: str) -> None:
        self.act = None
        match how:
            case "FIN":
                segment.fin()
            case "RST":
                segment.rst()
            case "half-close":
                segment.half_close()
                await asyncio.sleep(self.rng.uniform(0.0, 0.5))
            case "stop reading":
                segment.stop_reading()
                await asyncio.sleep(self.rng.uniform(0.5, 2.5))
                segment.rst()
        self.acted_at = time.monotonic()

    async def insist(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask again, with backoff and jitter, while nobody can answer."""
        pause = 0.05
        while True:
            self.attempts += 1
            try:
                async with asyncio.timeout(ATTEMPT_SECONDS):
                    return await ask()
            except TimeoutError:
                pass
            except (Refused, OSError) as error:
                status = error.args[0] if isinstance(error, Refused) else 0
                if isinstance(status, int) and status and status not in AGAIN:
                    raise
            await asyncio.sleep(self.rng.uniform(0.5, 1.0) * pause)
            pause = min(pause * 2, 1.0)
