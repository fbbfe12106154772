"""One scene: replies with readers, a fault at a random moment, and what came of it."""

import asyncio
import contextlib
import random
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from tests.faults.fault import STOPPED, Fault
from tests.faults.page import ATTEMPT_SECONDS, LOOK_SECONDS, Page, Transport
from tests.faults.verdict import Verdict
from tests.faults.world import LEASE_SECONDS, World
from tests.integration.client import Client, encode, new_id
from tests.integration.law import breaches_of_reading, breaches_of_rest
from tests.integration.scripts import said_by
from tests.integration.servers import eventually

REPLY_CHARACTERS = 400_000
AFTERWARDS_SECONDS = LEASE_SECONDS + 10.0
"""A reply has its end so long after the fault was over, or after its source would have ended."""
_CROWDS_LOOK_SECONDS = 0.25
"""Thousands of looks in a second would take the core that the upstream needs, which is here."""
_COMPARE_SECONDS = 0.4
_LATE_SECONDS = 0.2


@dataclass
class Reply:
    """One reply and its readers."""

    client: Client
    conversation: str
    script: dict[str, Any]
    run_id: str = field(default_factory=new_id)
    question_id: str = field(default_factory=new_id)
    pages: list[Page] = field(default_factory=list)
    stops: bool = False
    """Whether a person presses Stop while the fault goes on."""

    @property
    def lasts_seconds(self) -> float:
        """How long its source takes."""
        steps = self.script.get("steps", [])
        return sum(s.get("pause_ms", 0) * s.get("repeat", 1) for s in steps) / 1000

    @property
    def whole(self) -> str:
        """What its source says."""
        return said_by(self.script.get("steps", []))


class Scene:
    """Plays one scene in a world."""

    def __init__(
        self, world: World, fault: Fault, seed: int, transports: tuple[Transport, ...], replies: int
    ) -> None:
        self.world = world
        self.fault = fault
        self.rng = random.Random(f"{fault.name} {seed}")
        self.transports = transports
        self.verdict = Verdict(injected=1 if fault.strike else replies)
        self.replies: list[Reply] = []
        self._number = replies
        self._every_seconds = _CROWDS_LOOK_SECONDS if fault.crowd else LOOK_SECONDS
        self._injected = self._over = 0.0
        self._marks = [worker.mark() for worker in world.workers]

    @property
    def pages(self) -> list[Page]:
        return [page for reply in self.replies for page in reply.pages]

    def over(self) -> None:
        """Say that the fault is over: what follows is recovery."""
        if not self._over:
            self._over = time.monotonic()

    def note(self, text: str) -> None:
        """Say something of this throw for below the table."""
        self.verdict.notes.append(text)

    async def play(self) -> Verdict:
        """Play it to its end."""
        lives: list[asyncio.Task[None]] = []
        watch = asyncio.create_task(self._watch())
        try:
            await self.world.ready()
            await self._come_in()
            late = [self.replies.pop()] if self.fault.strike else []
            crowds = [self._begin(reply) for reply in self.replies]
            await asyncio.gather(*crowds)
            lives = [asyncio.create_task(page.read_to_the_end()) for page in self.pages]
            await self._strike(late, lives)
            seconds = max(reply.lasts_seconds for reply in self.replies) + AFTERWARDS_SECONDS
            seconds += self.fault.patience_seconds
            await self._end_of(lives, seconds)
            for reply in self.replies:
                await self._judge(reply)
            rest = self.world.database
            await eventually(lambda: not breaches_of_rest(rest), 8, lambda: _told(rest))
        except AssertionError as error:
            self.verdict.endless += 1
            self.verdict.other.append(_text(error))
        except Exception as error:  # it belongs to this seed, whatever it is
            self.verdict.other.append(_text(error))
        finally:
            for task in (watch, *lives):
                task.cancel()
            await asyncio.gather(watch, *lives, return_exceptions=True)
            for page in self.pages:
                await page.client.discard()
        self._count()
        return self.verdict

    async def _come_in(self) -> None:
        asker = Page(self.world.people[0], "", "", "sse", self.rng.randrange(2**32))
        late = 1 if self.fault.strike else 0
        model = self.world.model
        for number in range(self._number + late):
            person = self.world.people[number % len(self.world.people)]
            client = replace(person, readers=[], sockets=[])
            conversation = await asker.insist(partial(client.new_conversation, model=model))
            self.replies.append(Reply(client, conversation, self.fault.script(self.rng)))

    def _page(self, reply: Reply, number: int) -> Page:
        client = replace(reply.client, readers=[], sockets=[])
        transport = self.transports[number % len(self.transports)]
        page = Page(client, reply.conversation, reply.run_id, transport, self.rng.randrange(2**32))
        if self.fault.act:
            client.server = self.rng.choice([self.world.front, *self.world.workers])
            page.act = (self.fault.act, self.rng.randint(1, max(1, len(reply.whole) // 2)))
        page.every_seconds = self._every_seconds
        reply.pages.append(page)
        return page

    async def _begin(self, reply: Reply) -> None:
        first = self._page(reply, self.replies.index(reply) if reply in self.replies else 0)
        content = encode(reply.script).decode()
        small = {"small_buffer": True} if self.fault.act == "stop reading" else {}
        await first.send(reply.conversation, content, id=reply.question_id, **small)
        begun = self.transports.index(first.transport)
        crowd = self.fault.crowd // max(1, self._number)
        others = [self._page(reply, begun + 1 + number) for number in range(1 + crowd)]
        limit = asyncio.Semaphore(50)

        async def follow(page: Page) -> None:
            async with limit:
                await page.follow()

        await asyncio.gather(*(follow(page) for page in others))

    async def _strike(self, late: list[Reply], lives: list[asyncio.Task[None]]) -> None:
        if self.fault.strike is None:
            self.over()
            return
        await asyncio.sleep(self.rng.uniform(0.05, 1.5))
        self._injected = time.monotonic()

        async def begin_late(reply: Reply) -> None:
            await asyncio.sleep(_LATE_SECONDS)
            await self._begin(reply)
            await asyncio.gather(*(page.read_to_the_end() for page in reply.pages))

        self.replies += late
        lives += [asyncio.create_task(begin_late(reply)) for reply in late]
        lives.append(asyncio.create_task(self._stop(self.replies[0])))
        await self.fault.strike(self, self.rng)
        self.over()

    async def _stop(self, reply: Reply) -> None:
        reply.stops = True
        await asyncio.sleep(self.rng.uniform(0.0, 1.5))
        client = replace(reply.client, readers=[], sockets=[])
        await Page(client, reply.conversation, reply.run_id, "sse", 0).stop()

    async def _end_of(self, lives: list[asyncio.Task[None]], seconds: float) -> None:
        """Wait for all readers to have been told the end.

        On a busy machine a source takes longer than it should: while its text grows it talks.
        """
        waiting, reached = set(lives), -1
        while waiting and self._reached() > reached:
            reached = self._reached()
            _, waiting = await asyncio.wait(waiting, timeout=seconds)
            seconds = AFTERWARDS_SECONDS
        self.verdict.endless += len(waiting)
        if waiting:
            self.verdict.other.append(f"readers without an end: {self._unended()}")
        for task in lives:
            if task.done() and (error := task.exception()):
                self.verdict.other.append(_text(error))

    def _reached(self) -> int:
        """Add up how far the foremost reader of each reply is."""
        shown = (max((len(p.shown) for p in reply.pages), default=0) for reply in self.replies)
        return sum(shown)

    def _unended(self) -> dict[str, Counter[str]]:
        """Say of each reply where its readers stand that have no end."""
        return {
            reply.run_id: Counter(
                f"{p.transport} at {p.cursor}" for p in reply.pages if not p.ended
            )
            for reply in self.replies
        }

    async def _judge(self, reply: Reply) -> None:
        """Hold what was seen against what is stored, and that against what was said."""
        verdict = self.verdict
        shown_now = [page.shown for page in reply.pages]
        asker = Page(reply.client, reply.conversation, reply.run_id, "sse", 0)
        message = await asker.insist(lambda: asker.message(seconds=ATTEMPT_SECONDS))
        end = (message["status"], message["reason"])
        possible = (*self.fault.ends, *([STOPPED] if reply.stops else []))
        verdict.outcomes[f"{end[0]}/{end[1]}"] += 1
        if end not in possible:
            verdict.other.append(f"{reply.run_id} is {end}, possible are {possible}")
        whole = reply.whole
        if end == ("completed", "length"):
            whole = whole[:REPLY_CHARACTERS]
        verdict.hold(message["content"], whole, whole=message["status"] == "completed")
        if message["status"] == "running":  # its readers go on while we look
            verdict.endless += 1
            for shown in shown_now:
                verdict.hold(shown, message["content"], whole=False)
            return
        for page in reply.pages:
            verdict.hold(page.shown, message["content"], whole=page.ended is not None)
            for shown, found in page.loads:
                verdict.hold(shown, found, whole=False)
        segments = [segment for page in reply.pages for segment in page.segments]
        verdict.other += [str(breach) for breach in breaches_of_reading(message, segments)]

    async def _watch(self) -> None:
        """Note when readers get something, and compare now and then."""
        compared = time.monotonic()
        while True:
            await asyncio.sleep(self._every_seconds)
            for page in self.pages:
                page.look()
            if time.monotonic() - compared > _COMPARE_SECONDS:
                with contextlib.suppress(Exception):  # nobody can be asked during some faults
                    await self._compare()
                compared = time.monotonic()

    async def _compare(self) -> None:
        """Hold what a reader has now against what is stored a moment later."""
        pages = [page for page in self.pages if page.received and not page.ended]
        if not pages:
            return
        page = self.rng.choice(pages)
        shown = page.shown
        asker = Page(page.client, page.conversation, page.run_id, "sse", 0)
        message = await asker.message(seconds=1)
        self.verdict.looks += 1
        self.verdict.hold(shown, message["content"], whole=False)

    def _count(self) -> None:
        verdict, pages = self.verdict, self.pages
        verdict.replies = len(self.replies)
        verdict.readers.update(page.transport for page in pages)
        verdict.connections = sum(len(page.segments) for page in pages)
        for page in pages:
            begun = page.acted_at or page.news[0]
            injected, over = (self._injected, self._over) if self.fault.strike else (begun, begun)
            silence = page.silence(injected, over)
            if silence is not None and (page.acted_at or not self.fault.act):
                verdict.silences.append(silence)
        marked = list(zip(self.world.workers, self._marks, strict=True))
        verdict.errors += [error for worker, mark in marked for error in worker.errors(mark)]
        if self.fault.sign and any(self.fault.sign in worker.log(mark) for worker, mark in marked):
            self.note(f'the log said "{self.fault.sign}"')


def _told(database: str) -> str:
    return "; ".join(str(breach) for breach in breaches_of_rest(database))


def _text(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))
