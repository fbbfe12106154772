"""One line, kept up: it is connected again and again, and proves that what is said arrives."""

import asyncio
import logging
import random
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing

from streaming import metrics
from streaming.seldom import Seldom
from streaming.waking.lines import Line, LineDown
from streaming.waking.messages import Garbled, Message, Probe, decode, encode

logger = logging.getLogger(__name__)

_PROBE_SECONDS = 5.0
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 30.0


class Link:
    """A line and its proof.

    That a connection stands proves nothing: a pooler that gives each transaction another connection
    takes LISTEN and delivers nothing. So the worker says something to itself every few seconds. As
    long as that comes back the line is proven.

    Args:
        addresses: what to listen to; the first is our own.
        on_message: called with each message but probes.
        on_change: called when the proof came or went.
        proof_seconds: within this a probe comes back, or the line counts as down.
    """

    def __init__(
        self,
        line: Line,
        addresses: Callable[[], Sequence[str]],
        *,
        on_message: Callable[[Message], None],
        on_change: Callable[[], None],
        proof_seconds: float = 3.0,
    ) -> None:
        self.line = line
        self._proof_seconds = proof_seconds
        self.proven = False
        self._addresses = addresses
        self._on_message = on_message
        self._on_change = on_change
        self._session: asyncio.Task[None] | None = None
        self._listening = asyncio.Event()
        self._token = ""
        self._came_back = asyncio.Event()
        self._told: bool | None = None
        self._garbled = Seldom()
        self._pause_seconds = _FIRST_PAUSE_SECONDS

    async def keep_up(self) -> None:
        """Connect, listen and prove for as long as the process lives."""
        try:
            while True:
                await self._live_through_a_session()
                # Not all workers at the same moment, when a server is back.
                await asyncio.sleep(self._pause_seconds * random.uniform(0.5, 1.0))
                self._pause_seconds = min(self._pause_seconds * 2, _LONGEST_PAUSE_SECONDS)
        finally:
            self._set_proven(False)

    def reconnect(self) -> None:
        """Listen anew: the addresses are others."""
        if self._session is not None:
            self._pause_seconds = _FIRST_PAUSE_SECONDS
            self._session.cancel()

    async def say(self, messages: Sequence[tuple[str, Message]]) -> None:
        """Send messages; what cannot be sent now is lost."""
        texts = [(address, encode(message)) for address, message in messages]
        fitting = [one for one in texts if len(one[1].encode()) <= self.line.largest_bytes]
        try:
            if fitting:
                await self.line.say(fitting)
        except LineDown as error:
            metrics.wakes.labels(self.line.kind, "lost").inc(len(texts))
            self._complain(str(error))
        else:
            metrics.wakes.labels(self.line.kind, "sent").inc(len(fitting))
            metrics.wakes.labels(self.line.kind, "lost").inc(len(texts) - len(fitting))

    async def _live_through_a_session(self) -> None:
        self._listening.clear()
        listening = asyncio.create_task(self._listen(), name="waking listens")
        self._session = listening
        probing = asyncio.create_task(self._probe(), name="waking probes")
        try:
            await asyncio.wait([listening, probing], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (listening, probing):
                task.cancel()
            ends = await asyncio.gather(listening, probing, return_exceptions=True)
            self._set_proven(False)
        for end in ends:
            if isinstance(end, LineDown):
                self._complain(str(end))
            elif isinstance(end, Exception):
                logger.error("The line between workers failed; it goes on", exc_info=end)

    async def _listen(self) -> None:
        async with aclosing(self.line.hear(self._addresses())) as heard:
            async for text in heard:
                if text:
                    self._take(text)
                else:
                    self._listening.set()

    def _take(self, text: str) -> None:
        try:
            if len(text) > self.line.largest_bytes:
                raise Garbled("longer than anything that we say")
            message = decode(text)
        except Garbled:
            metrics.wakes.labels(self.line.kind, "garbled").inc()
            if self._garbled.is_due():
                logger.warning(
                    "Another version, or somebody else, speaks on the line of the workers"
                )
            return
        if isinstance(message, Probe):
            if message.token == self._token:
                self._came_back.set()
            return
        metrics.wakes.labels(self.line.kind, "received").inc()
        self._on_message(message)

    async def _probe(self) -> None:
        await self._listening.wait()
        while True:
            self._token, self._came_back = secrets.token_hex(8), asyncio.Event()
            begun = time.monotonic()
            await self.line.say([(self._addresses()[0], encode(Probe(self._token)))])
            try:
                async with asyncio.timeout(self._proof_seconds):
                    await self._came_back.wait()
            except TimeoutError:
                raise LineDown("what is said does not arrive") from None
            metrics.wake_seconds.observe(time.monotonic() - begun)
            self._pause_seconds = _FIRST_PAUSE_SECONDS
            self._set_proven(True)
            await asyncio.sleep(_PROBE_SECONDS)

    def _set_proven(self, proven: bool) -> None:
        if proven == self.proven:
            return
        self.proven = proven
        if proven:
            self._told = True
            logger.info("Workers wake each other by %s", self.line.kind)
        self._on_change()

    def _complain(self, reason: str) -> None:
        """Say once that the line is down."""
        if self._told is not False:
            self._told = False
            logger.warning(
                "Workers do not wake each other by %s (%s); they poll", self.line.kind, reason
            )
