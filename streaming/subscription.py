"""One reader of one run: replay from a cursor, then follow; the same for SSE and WebSocket."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, Self
from uuid import UUID

from django.db import DatabaseError, InterfaceError
from django.db.models.functions import Now

from streaming import metrics, threads
from streaming.conf import conf
from streaming.connections import Place
from streaming.cursor import START, Cursor
from streaming.events import Delta, Ended, Event, Ping, Started, State
from streaming.feed import Feed
from streaming.models import Run
from streaming.outcome import stopped

if TYPE_CHECKING:
    from streaming.workers import LocalWorker

logger = logging.getLogger(__name__)

_REOPEN_SECONDS = 0.5


Transport = Literal["sse", "text", "socket"]


class NoSuchRun(LookupError):
    """There is neither a live run nor a settled reply of that id."""


class Subscription:
    """Replays a run from a cursor and follows it to its end.

    It holds no text and no queue: its place in the feed is a cursor, so a slow reader costs
    nothing but the one event that it has not taken.
    """

    def __init__(
        self,
        worker: "LocalWorker",
        feed: Feed,
        after: Cursor = START,
        *,
        notify: Callable[[], None] | None = None,
    ) -> None:
        self.worker = worker
        self._feed = feed
        self._notify = notify
        self._woken = True
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = 0.0
        self._started = False
        self._closing = worker.closing
        self._closed = False
        self._returns = False
        self.begun_at = time.monotonic()
        life = conf().connection_seconds
        self._closes_at = self.begun_at + life if life else float("inf")
        self.next_ping = self.begun_at + _heartbeat_seconds()
        """Monotonic time of the next sign of life."""
        self.cursor = after
        """What the reader has been given."""
        self.finished = False
        """Whether `ended` was given, or the close was planned: then leaving is no departure."""
        self.reader_key = ""
        """Who reads, where a project says so: what a person holds open can be closed together."""
        self.place: Place | None = None
        """Its place among the connections, where it is one by itself; given back by `close`."""
        self.transport: Transport | None = None
        """How it reaches its reader, see `carried_by`."""
        feed.attach(self)
        worker.subscriptions.add(self)

    @property
    def run_id(self) -> UUID:
        """The run that is read."""
        return self._feed.run_id

    @property
    def ended(self) -> Ended | None:
        """The end of the run, if it is settled."""
        return self._feed.ended

    @property
    def lost(self) -> bool:
        """Whether the run moved away from this feed: `reopen` finds it."""
        return self._feed.lost

    @property
    def closing(self) -> bool:
        """Whether a planned close was asked for."""
        return self._closing

    def carried_by(self, transport: Transport) -> None:
        """Say, before anything is taken, how this goes to its reader; readers are counted so."""
        self.transport = transport
        metrics.subscriptions.labels(transport, "no" if self.cursor == START else "yes").inc()

    def wake(self) -> None:
        """Look again: the feed has news, or time has come for a ping."""
        self._woken = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        if self._notify is not None:
            self._notify()

    def take(self) -> Event | None:
        """Return the next event if there is one now; never waits."""
        if not self._started:
            self._started = True
            return Started(self.run_id, self._feed.about, self.cursor)
        now = time.monotonic()
        if now >= self.next_ping:
            self.next_ping = max(self.next_ping + _heartbeat_seconds(), now)
            return Ping(self._state(), self._feed.idle_seconds)
        piece = self._feed.transcript.after(self.cursor)
        if piece is not None:
            part, kind, start, text = piece
            at, cursor = self.cursor, Cursor(part, start + len(text))
            self.cursor = cursor
            return Delta(part, kind, at, text, cursor)
        if self._feed.ended is not None:
            self.finished = True
        return self._feed.ended

    def plan_close(self) -> None:
        """End without `ended` as soon as the text that is there is given: the reader reconnects."""
        self._closing = True
        self.wake()

    def close(self) -> None:
        """Leave the run; harmless when repeated."""
        self._closed = True
        self._feed.detach(self, returns=self._returns)
        self.worker.subscriptions.discard(self)
        if self.place is not None:
            self.place.leave()
        if self._timer is not None:
            self._timer.cancel()

    def __aiter__(self) -> Self:
        """Iterate over the events in order, until the end or the planned close.

        Yields:
            `Started` at once, then `Delta` and `Ping`, and `Ended` last unless the close is
            planned. Each delta's `at` is the cursor of the event before it.
        """
        return self

    async def __anext__(self) -> Event:
        """Wait for the next event."""
        while not self.finished:
            if not self._woken:
                await self._wait()
            if self._feed.lost:
                await self.reopen()
            self._woken = False
            event = self.take() if time.monotonic() < self._closes_at else None
            if event is not None:
                feed, over = self._feed, self._closing or self._feed.ended is not None
                if over or self.cursor != feed.transcript.end:
                    self._woken = True
                    # A replay to a socket that takes everything would never give the loop a turn.
                    await asyncio.sleep(0)
                return event
            if self._closing or time.monotonic() >= self._closes_at:
                self.finished = self._returns = True
        raise StopAsyncIteration

    def _state(self) -> State:
        if self.worker.journal.failing_since is not None:
            return "recovering"
        return self._feed.state

    async def _wait(self) -> None:
        """Wait for `wake`; no longer than to the next ping or the end of the connection's life."""
        moment = min(self.next_ping, self._closes_at)
        # One timer for many wake-ups: wait_for() would cost a task and a timer for each token.
        if self._timer is None or self._timer_due != moment:
            if self._timer is not None:
                self._timer.cancel()
            delay = max(moment - time.monotonic(), 0)
            self._timer = asyncio.get_running_loop().call_later(delay, self._time_out)
            self._timer_due = moment
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter

    def _time_out(self) -> None:
        self._timer = None
        self.wake()

    async def reopen(self) -> None:
        """Go on with a run that moved: follow it where it is now, or try again soon."""
        try:
            feed = await self.worker.feed(self.run_id)
        except (DatabaseError, InterfaceError) as error:
            logger.warning("A reader waits for storage: %s", type(error).__name__)
            asyncio.get_running_loop().call_later(_REOPEN_SECONDS, self.wake)
            return
        if self._closed:
            return
        if feed is None:
            feed = Feed(self.run_id, self._feed.about, self._feed.transcript)
            feed.ended = Ended.of(stopped("deleted"), feed.transcript.stored())
        self._feed.detach(self)
        self._feed = feed
        feed.attach(self)


def _heartbeat_seconds() -> float:
    return conf().heartbeat_seconds or float("inf")


async def subscribe(
    worker: "LocalWorker",
    run_id: UUID,
    after: Cursor = START,
    *,
    notify: Callable[[], None] | None = None,
) -> Subscription:
    """Open a subscription, wherever the run is: here, on another worker, settled long ago.

    Args:
        notify: called whenever `take` may have something.

    Raises:
        NoSuchRun: there is neither a run nor a reply.
        BadCursor: the cursor lies beyond the end, on a fresh read.
    """
    feed = await worker.feed(run_id)
    if feed is None:
        raise NoSuchRun(run_id)
    feed.transcript.check(after)
    return Subscription(worker, feed, after, notify=notify)


def record_departure(run_ids: list[UUID]) -> None:
    """Note in the rows of runs that a reader left before the end; nothing where it is settled."""
    Run.objects.filter(id__in=run_ids).update(departed_at=Now())


async def record_departures(run_ids: list[UUID]) -> list[None]:
    """Record the departures of many readers in one transaction, bounded in time."""
    writing = asyncio.ensure_future(threads.write(record_departure, run_ids))
    # Where storage takes longer than we wait, what comes of it is nobody's any more.
    writing.add_done_callback(lambda task: task.cancelled() or task.exception())
    try:
        async with asyncio.timeout(conf().lease_seconds):
            await asyncio.shield(writing)
    except Exception as error:  # the readers have gone, and their runs do not depend on it
        logger.warning("Departures were not recorded: %s", type(error).__name__)
    return [None] * len(run_ids)


async def depart(subscription: Subscription) -> None:
    """Close a subscription; if its reader left before the end, record that.

    Cancellation: the record is written all the same, by a held task.
    """
    subscription.close()
    if not subscription.finished and subscription.ended is None:
        await asyncio.shield(subscription.worker.departures.submit(subscription.run_id))
