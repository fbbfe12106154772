"""What one worker tells the others, and does when it is told."""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol
from uuid import UUID

from django.db import DatabaseError, InterfaceError

from streaming import threads
from streaming.detached import repeat, spawn
from streaming.models import Run
from streaming.seldom import Seldom
from streaming.waking import interest
from streaming.waking.interest import Interest
from streaming.waking.lines import Kind, Line
from streaming.waking.link import Link
from streaming.waking.messages import EVERYBODY, Follow, Message, News, Notice, Stop
from streaming.waking.outgoing import Outgoing

logger = logging.getLogger(__name__)

_HEARD_SECONDS = 2 * interest.SECONDS + 1
_REST_SECONDS = 0.01  # on an idle worker each token is a commit; nobody looks more often
_FLUSH_SECONDS = 0.5
_FAILED_PAUSE_SECONDS = 0.5

Take = Callable[[Any], None]
_takers: dict[str, Take] = {}
_not_understood = Seldom()


def take_notices(topic: str, take: Take) -> None:
    """Have the notices of other workers about a topic given to a function, on the event loop."""
    _takers[topic] = take


class Follows(Protocol):
    """What a worker reads of others."""

    def owners(self) -> Mapping[UUID, UUID]:
        """Map each followed run to the worker that produces it."""
        ...

    def wake(self, runs: Collection[UUID] | None = None) -> None:
        """Look at once; None: at all of them."""
        ...


class Waking:
    """The line of one worker: nobody speaks where nobody listens.

    A follower says what it follows, again and again; only then, and only of these runs, the worker
    that produces them tells it of commits and ends. So a worker without readers elsewhere says
    nothing at all, and a commit is never more than one message to each follower.

    Args:
        knows: whether there is such a worker. Whoever can write on the line can make up ids.
        holds: whether the worker produces a run.
        follows: what it reads of others.
        on_stop: called when somebody recorded a stop elsewhere.
    """

    def __init__(
        self,
        worker_id: UUID,
        line: Line | None,
        *,
        knows: Callable[[UUID], bool],
        holds: Callable[[UUID], bool],
        follows: Follows,
        on_stop: Callable[[], None],
    ) -> None:
        self._worker_id = worker_id
        self._knows = knows
        self._holds = holds
        self._follows = follows
        self._on_stop = on_stop
        self._interest = Interest()
        self._heard_at: dict[UUID, float] = {}
        self._outgoing = Outgoing()
        self._link = None if line is None else self._make_link(line)

    def _make_link(self, line: Line) -> Link:
        return Link(
            line,
            lambda: [self._worker_id.hex, EVERYBODY],
            on_message=self._take,
            on_change=self._follows.wake,
        )

    @property
    def kind(self) -> Kind:
        """By what workers wake each other, where it works."""
        return "polling" if self._link is None else self._link.line.kind

    @property
    def proven(self) -> bool:
        """Whether what this worker says arrives."""
        return self._link is not None and self._link.proven

    def begin(self) -> "list[asyncio.Task[None]]":
        """Start what keeps the line up."""
        if self._link is None:
            return []
        return [
            spawn(self._link.keep_up(), name="waking"),
            spawn(self._say_forever(self._link), name="waking says"),
            repeat(self._say_what_is_followed, every_seconds=interest.SECONDS, name="follows"),
        ]

    def change_worker(self, worker_id: UUID) -> None:
        """Go on as another worker: the one before was fenced."""
        self._worker_id = worker_id
        if self._link is not None:
            self._link.reconnect()

    def has_news(self, run_id: UUID) -> None:
        """Tell whoever reads a run elsewhere that there is more, or its end; after the commit."""
        if run_id not in self._interest:
            return
        for follower in self._interest.followers(run_id, time.monotonic()):
            self._outgoing.tell(follower, [run_id])

    def follow(self, run_id: UUID, owner: UUID) -> None:
        """Tell the worker that produces a run that it is read here."""
        if self._link is not None and owner != self._worker_id:
            self._outgoing.follow(owner, run_id)

    def covers(self, owner: UUID) -> bool:
        """Say whether a worker would tell us of its runs, as far as anybody can know."""
        heard_at = self._heard_at.get(owner)
        return self.proven and heard_at is not None and time.monotonic() - heard_at < _HEARD_SECONDS

    def stop(self, run_id: UUID) -> None:
        """Have the worker that produces a run look for its recorded stop at once."""
        if self._link is not None:
            spawn(self._say_stop(run_id), name="stop elsewhere")

    def notice(self, topic: str, about: Any) -> None:
        """Tell all other workers something of the project's own."""
        if self._link is not None:
            self._outgoing.add(EVERYBODY, Notice(self._worker_id, topic, about))

    async def flush(self) -> None:
        """Wait until all is said, if that takes no time."""
        try:
            async with asyncio.timeout(_FLUSH_SECONDS):
                await self._outgoing.all_said()
        except TimeoutError:
            pass

    async def close(self) -> None:
        """Give connections back; the tasks have ended."""
        if self._link is not None:
            await self._link.line.close()

    async def _say_forever(self, link: Link) -> None:
        while True:
            messages = await self._outgoing.next(self._worker_id)
            try:
                await link.say(messages)
            except Exception:  # what is said next must not be lost with it
                logger.exception("Saying something to other workers failed; it goes on")
                await asyncio.sleep(_FAILED_PAUSE_SECONDS)
            await asyncio.sleep(_REST_SECONDS)

    async def _say_what_is_followed(self) -> None:
        now = time.monotonic()
        self._interest.forget_old(now)
        for owner, heard_at in list(self._heard_at.items()):
            if now - heard_at > _HEARD_SECONDS:
                del self._heard_at[owner]
        for run_id, owner in self._follows.owners().items():
            self.follow(run_id, owner)

    async def _say_stop(self, run_id: UUID) -> None:
        try:
            owner = await threads.read(_owner_of, run_id)
        except (DatabaseError, InterfaceError) as error:
            logger.warning("A stop waits for the next poll: %s", type(error).__name__)
            return
        if owner is not None:
            self._outgoing.add(owner.hex, Stop([run_id]))

    def _take(self, message: Message) -> None:
        match message:
            case Follow(follower, said) if self._knows(follower):
                runs = self._interest.room(said, self._holds)
                if said and not runs:
                    return  # it polls
                new = self._interest.note(follower, runs, time.monotonic())
                # Also without news: so the follower knows that it need not poll. Those that it
                # began to follow may have had some before we heard of it.
                news = [run for run in runs if run in new or not self._holds(run)]
                self._outgoing.tell(follower, news)
            case News(owner, runs) if self._knows(owner):
                self._heard_at[owner] = time.monotonic()
                if runs:
                    self._follows.wake(runs)
            case Stop(runs) if any(map(self._holds, runs)):
                self._on_stop()
            case Notice(sender, topic, about):
                if sender != self._worker_id:
                    _take_notice(topic, about)
            case _:
                pass


def _take_notice(topic: str, about: Any) -> None:
    take = _takers.get(topic)
    if take is None:
        return
    try:
        take(about)
    except Exception as error:  # the line carries more than this: it must stay up
        if _not_understood.is_due():
            logger.warning(
                "A notice about %s was not understood (%s): another version may speak",
                topic,
                type(error).__name__,
            )


def _owner_of(run_id: UUID) -> UUID | None:
    return Run.objects.filter(id=run_id).values_list("worker_id", flat=True).first()
