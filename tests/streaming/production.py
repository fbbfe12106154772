"""Runs for tests: rows as a start writes them, sources that say what they are told, readers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal
from uuid import UUID, uuid4

from django.contrib.auth import get_user_model
from django.db import OperationalError, transaction
from django.utils import timezone

from conversations.models import Conversation, Message, Person
from streaming import runner, statements, threads
from streaming.cursor import START, Cursor
from streaming.events import Delta, Ended, Event, Ping, Started
from streaming.models import Fragment, Run, Worker
from streaming.runner import LiveRun, NewRun
from streaming.source import Finish, Item, Source, Text
from streaming.subscription import Subscription, depart, subscribe
from streaming.transcript import Piece, StoredPart
from streaming.workers import LocalWorker
from tests.waiting import until


class Tap:
    """A source that gives what the test hands it, when the test hands it."""

    def __init__(self) -> None:
        self._items: asyncio.Queue[Item | BaseException] = asyncio.Queue()
        self.taken = 0
        self.closed = asyncio.Event()

    async def stream(self) -> Source:
        try:
            while True:
                item = await self._items.get()
                if isinstance(item, BaseException):
                    raise item
                self.taken += 1
                yield item
        finally:
            self.closed.set()

    def say(self, *texts: str) -> None:
        for text in texts:
            self.give(Text(text))

    def give(self, item: Item | BaseException) -> None:
        self._items.put_nowait(item)

    def finish(self, reason: str = "stop") -> None:
        self.give(Finish(reason))


def new_run(
    worker_id: UUID,
    *,
    on_disconnect: Literal["continue", "stop"] = "continue",
    text: str = "",
    run_id: UUID | None = None,
) -> NewRun:
    """Write the rows of a start: a question, a running reply, a run row, and its text so far."""
    users = get_user_model()
    with transaction.atomic():
        user = users._default_manager.create(**{users.USERNAME_FIELD: f"person-{uuid4()}"})
        Person.objects.create(user=user)
        now = timezone.now()
        conversation = Conversation.objects.create(owner=user, updated_at=now)
        question = Message.objects.create(
            conversation=conversation, role="user", created_at=now, settled_at=now
        )
        reply = Message.objects.create(
            id=run_id or uuid4(),
            conversation=conversation,
            parent=question,
            role="assistant",
            status="running",
            created_at=now,
        )
        new = NewRun(
            run_id=reply.id,
            claim=uuid4(),
            about={"conversation_id": str(conversation.id), "message_id": str(question.id)},
            on_disconnect=on_disconnect,
            stored=[StoredPart("text", text)] if text else [],
        )
        Run.objects.create(
            id=new.run_id,
            worker_id=worker_id,
            claim=new.claim,
            owner_key=str(user.pk),
            about=new.about,
            on_disconnect=on_disconnect,
            started_at=now,
        )
        if text:
            statements.insert([(reply.id, Piece(1, "text", 0, text))])
        return new


def lose_the_answer() -> None:
    """What a commit comes to whose connection is cut behind it; for `transaction.on_commit`."""
    raise OperationalError("planted for the test")


async def begin(
    worker: LocalWorker,
    source: Tap | Source,
    *,
    on_disconnect: Literal["continue", "stop"] = "continue",
) -> LiveRun:
    """Start a run of this worker."""
    new = await threads.write(lambda: new_run(worker.id, on_disconnect=on_disconnect))
    stream = source.stream() if isinstance(source, Tap) else source
    return runner.start(worker, new, stream)


async def settled(run: LiveRun, *, seconds: float = 8.0) -> Message:
    """Wait until the run is over here, and return the reply as it is stored."""
    async with asyncio.timeout(seconds):
        await asyncio.shield(run.settled)
    return await reply(run.run_id)


async def reply(run_id: UUID) -> Message:
    return await threads.read(lambda: Message.objects.get(id=run_id))


async def stored_text(run_id: UUID) -> str:
    """Return what the journal holds of a run."""
    parts = (await threads.read(statements.stored_parts, [run_id]))[run_id]
    return "".join(part.text for part in parts)


async def run_exists(run_id: UUID) -> bool:
    return await threads.read(lambda: Run.objects.filter(id=run_id).exists())


async def fragment_count(run_id: UUID) -> int:
    return await threads.read(lambda: Fragment.objects.filter(run_id=run_id).count())


async def worker_row(worker_id: UUID) -> Worker | None:
    return await threads.read(lambda: Worker.objects.filter(id=worker_id).first())


class Reader:
    """A reader that takes everything at once and remembers it."""

    def __init__(self, subscription: Subscription) -> None:
        self.subscription = subscription
        self.events: list[Event] = []
        self.begun = False
        self._task = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        self.begun = True
        try:
            async for event in self.subscription:
                self.events.append(event)
        finally:
            await depart(self.subscription)

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, Delta))

    @property
    def deltas(self) -> list[Delta]:
        return [event for event in self.events if isinstance(event, Delta)]

    @property
    def pings(self) -> list[Ping]:
        return [event for event in self.events if isinstance(event, Ping)]

    @property
    def started(self) -> Started | None:
        return next((event for event in self.events if isinstance(event, Started)), None)

    @property
    def ended(self) -> Ended | None:
        return next((event for event in self.events if isinstance(event, Ended)), None)

    async def has(self, text: str) -> None:
        await until(
            lambda: self._alive() and self.text == text, what=f"{text!r}, got {self.text!r}"
        )

    async def end(self) -> Ended:
        """Wait for the end."""
        async with asyncio.timeout(8):
            await asyncio.shield(self._task)
        assert self.ended is not None, self.events
        return self.ended

    async def closed(self) -> None:
        """Wait until the subscription is over, however."""
        async with asyncio.timeout(8):
            await asyncio.shield(self._task)

    async def leave(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if not self.begun:
            await depart(self.subscription)  # a task that is cancelled at birth runs nothing

    def _alive(self) -> bool:
        if self._task.done():
            self._task.result()
        return True


@asynccontextmanager
async def reading(
    worker: LocalWorker, run_id: UUID, after: Cursor = START
) -> AsyncIterator[Reader]:
    reader = Reader(await subscribe(worker, run_id, after))
    try:
        yield reader
    finally:
        await reader.leave()


def connected(worker_id: UUID) -> dict[str, Any]:
    """Return the columns of a worker's row that no test cares about."""
    return {"id": worker_id, "host": "elsewhere", "pid": 1}
