"""This process as a worker: its runs, its journal, its beat, and its watch over the others."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

from django.db import DatabaseError, InterfaceError

from streaming import lag, metrics, takeover, threads
from streaming.clocks import Clocks
from streaming.conf import conf
from streaming.connections import Connections
from streaming.detached import once, repeat, spawn
from streaming.feed import Feed
from streaming.follower import Follower
from streaming.gathering import Gatherer
from streaming.journal import Journal
from streaming.lockfile import LockFile
from streaming.orphans import Orphans
from streaming.outcome import interrupted
from streaming.reports import report
from streaming.runner import LiveRun
from streaming.settlement import MOST_AT_ONCE, End, Settled, settle
from streaming.statements import Fenced
from streaming.subscription import Subscription, record_departures
from streaming.waking.lines import choose
from streaming.waking.waking import Waking
from streaming.watch import Watch

logger = logging.getLogger(__name__)

_TICK_SECONDS = 0.25
_RECONCILE_SECONDS = 3.0
_STOP_POLL_SECONDS = 0.5
_RETRY_SECONDS = 1.0
_TAKING_SECONDS = 5.0
"""At the end of a drain other workers take one run after the other, none this far apart."""
_TAKING_POLL_SECONDS = 0.1


class LocalWorker:
    """The worker that this process is. Made when the server starts, never at import.

    Its id is new for every registration and never used again: pids and host names repeat.
    """

    def __init__(self) -> None:
        self.id: UUID = uuid4()
        self._loop = asyncio.get_running_loop()
        self.runs: dict[UUID, LiveRun] = {}
        self.subscriptions: set[Subscription] = set()
        self.follower = Follower()
        self._watch = Watch()
        self.waking = Waking(
            self.id,
            choose(),
            knows=self._watch.knows,
            holds=self.runs.__contains__,
            follows=self.follower,
            on_stop=self._look_for_stops,
        )
        self.follower.waking = self.waking
        self.journal = Journal(self.id, self.runs, on_fenced=self._fenced)
        self.settlements: Gatherer[End, Settled] = Gatherer(
            settle, most=MOST_AT_ONCE, name="settle"
        )
        self.departures: Gatherer[UUID, None] = Gatherer(
            record_departures, most=1000, name="departures"
        )
        self._starts: set[asyncio.Task[Any]] = set()
        self.opening: dict[UUID, None] = {}
        """Runs whose start was written and not yet answered: nobody settles them meanwhile."""
        self.draining = False
        self._offers = False
        """Whether runs of ours were offered to other workers."""
        self.closing = False
        """Whether readers are sent away: a server may listen a little longer than it drains."""
        self.connections = Connections()
        self.sockets: set[Callable[[], None]] = set()
        """What wakes the open sockets, whether or not they read a run."""
        self.registered = asyncio.Event()
        self._may_have_row = False
        """Whether a registration was begun: cancelled half-way, its row comes all the same."""
        self._lock: LockFile | None = None
        self._clocks = Clocks(self)
        self.orphans = Orphans(self, self._watch)
        self._reported = False
        self._stops_are_due = False
        self._stop_look: asyncio.Task[None] | None = None
        self._tasks: list[asyncio.Task[Any]] = []
        self._registering: asyncio.Task[None] | None = None
        self._drained: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Start the worker's tasks; registration goes on in the background."""
        clocks = self._clocks
        self._registering = spawn(self._register(), name="register")
        self._tasks = [
            repeat(self._beat, every_seconds=self._watch.beat_seconds, name="beat"),
            repeat(self._look, every_seconds=self._watch.pause_seconds, name="watch"),
            repeat(clocks.tick, every_seconds=_TICK_SECONDS, name="clocks"),
            repeat(clocks.check_departures, every_seconds=_TICK_SECONDS, name="departures"),
            repeat(clocks.reconcile, every_seconds=_RECONCILE_SECONDS, name="reconcile"),
            spawn(lag.measure_forever(), name="lag"),
            repeat(clocks.poll_stops, every_seconds=_STOP_POLL_SECONDS, name="poll stops"),
            *self.waking.begin(),
        ]
        self._write_task = spawn(self.journal.write_forever(), name="journal")

    async def feed(self, run_id: UUID) -> Feed | None:
        """Find a run: here, on another worker, or settled; None where there is none."""
        if (run := self._live(run_id)) is not None:
            return run
        found = await self.follower.follow(run_id)
        if (run := self._live(run_id)) is not None:
            # It began here meanwhile: whoever follows it comes here too.
            self.follower.hand_over(run_id)
            return run
        return found

    def _live(self, run_id: UUID) -> LiveRun | None:
        run = self.runs.get(run_id)
        return None if run is None or run.lost else run

    def run_soon(self, call: Callable[[], None]) -> None:
        """Make a call on the event loop, from any thread; dropped once the loop is closed."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call)

    @property
    def reader_count(self) -> int:
        """Open subscriptions of this process."""
        return len(self.subscriptions)

    async def _register(self) -> None:
        """Take the lock, then the row: who sees the row can see the lock."""
        while not self.registered.is_set():
            try:
                self._take_lock()
                self._may_have_row = True
                await threads.write_beat(takeover.register, self.id)
                self._watch.note_beat()
                self.registered.set()
                await self._look()
            except (DatabaseError, InterfaceError) as error:
                logger.warning("Registration waits for storage: %s", type(error).__name__)
                await asyncio.sleep(_RETRY_SECONDS)

    def _take_lock(self) -> None:
        directory = conf().run_directory
        if not directory or self._lock is not None:
            return
        try:
            self._lock = LockFile(directory, self.id)
        except OSError as error:
            # Without it the others wait for the lease to know us dead; nothing else is lost.
            logger.warning("No lock file in %s: %s", directory, error.strerror)

    async def _beat(self) -> None:
        worker_id = self.id
        if self.registered.is_set():
            try:
                watched = await threads.write_beat(takeover.raise_beat, worker_id)
            except Fenced:
                self._fenced(worker_id)
                return
            self._watch.note_beat()
            if watched or self._reported:
                # The last one is empty: what is old is not shown as if it were news.
                self._reported = watched
                given = report(self) if watched else {}
                await threads.write_beat(takeover.write_report, worker_id, given)

    def tell_others(self, topic: str, about: Any) -> None:
        """Tell the other workers something of the project's own, if there are any and it works."""
        if self._watch.sees_others:
            self.waking.notice(topic, about)

    def silent_seconds(self, worker_id: UUID, beat: int) -> float | None:
        """Return for how long another worker was seen with this beat; None where it was not."""
        return self._watch.silent_seconds(worker_id, beat)

    async def _look(self) -> None:
        if self.registered.is_set():
            await self._watch.look(self.id)
            self.orphans.look_soon()

    def _look_for_stops(self) -> None:
        """Look soon; whatever was said of while we look is looked for in one more look."""
        self._stops_are_due = True
        if self._stop_look is None or self._stop_look.done():
            self._stop_look = once(self._look_while_due, name="look for stops")

    async def _look_while_due(self) -> None:
        while self._stops_are_due:
            self._stops_are_due = False
            await self._clocks.poll_stops()

    def _fenced(self, worker_id: UUID) -> None:
        """Stop spending, send the readers to where their runs are now, and register anew.

        Args:
            worker_id: who was found dead; the news may come late, and more than once.
        """
        if worker_id != self.id or not self.registered.is_set():
            return
        metrics.fenced.inc()
        logger.warning("Worker %s was declared dead by the others; it registers anew", self.id)
        self.registered.clear()
        for run in list(self.runs.values()):
            run.abandon()
        if self._lock is not None:
            self._lock.release()
            self._lock = None
        self.id = uuid4()
        self.journal.change_worker(self.id)
        self.waking.change_worker(self.id)
        self._registering = spawn(self._register(), name="register")

    def expect(self, start: "asyncio.Task[Any]") -> None:
        """Let a drain wait for a start: its row may be committed before its run is here."""
        self._starts.add(start)
        start.add_done_callback(self._starts.discard)

    def begin_drain(self, *, seconds: float | None = None) -> None:
        """Take no more starts, give live runs their time, then settle what is left.

        Args:
            seconds: their time; None means `DRAIN_SECONDS`.
        """
        if self._drained is None:
            self.draining = True
            patience = conf().drain_seconds if seconds is None else seconds
            self._drained = spawn(self._drain(patience), name="drain")

    async def drained(self) -> None:
        """Wait until the drain is over; begins it if nobody did."""
        self.begin_drain()
        assert self._drained is not None
        await asyncio.shield(self._drained)

    async def _drain(self, patience: float) -> None:
        if self.registered.is_set():
            await _quietly(takeover.note_draining, self.id)
        await self._runs_end(patience)
        await self._release_runs()
        await self._runs_end(conf().storage_wait_seconds or conf().lease_seconds, interrupting=True)
        await self._offered_are_taken()
        self.closing = True
        for subscription in list(self.subscriptions):
            subscription.plan_close()
        for wake in list(self.sockets):
            wake()
        await self.waking.flush()
        tasks = [*self._tasks, self._write_task]
        if self._registering is not None:
            tasks.append(self._registering)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.orphans.finish()
        await self.waking.close()
        if self._may_have_row:
            await _quietly(takeover.unregister, self.id)
        if self._lock is not None:
            self._lock.release()
            self._lock = None
        await threads.close_connections()

    async def _release_runs(self) -> None:
        """Offer what is left to other workers, where they may go on with it and there are any."""
        if conf().on_worker_loss != "continue" or not self.runs:
            return
        try:
            takers = await threads.read(takeover.takers, self.id)
        except (DatabaseError, InterfaceError):
            return
        if any(self._watch.lives(taker) for taker in takers):
            self._offers = True
            for run in list(self.runs.values()):
                run.release()

    async def _offered_are_taken(self) -> None:
        """Wait while other workers take runs; settle what none of them took."""
        if not self._offers:
            return
        left, since = 0, self._loop.time()
        try:
            while offered := await threads.read(takeover.offered, self.id):
                now = self._loop.time()
                if offered != left:
                    left, since = offered, now
                elif now - since > _TAKING_SECONDS:
                    break
                await asyncio.sleep(_TAKING_POLL_SECONDS)
            while ends := await threads.write(takeover.settle_offered, self.id):
                for ended in ends.values():
                    metrics.count_end(ended.status, ended.reason)
        except (DatabaseError, InterfaceError) as error:
            # Our row goes, or our beat stops: then they are a lost worker's.
            logger.warning("Runs that nobody took wait for storage: %s", type(error).__name__)
        except Exception:  # of a recorder, say; the end must come all the same
            logger.exception("Runs that nobody took could not be settled")

    async def _runs_end(self, seconds: float, *, interrupting: bool = False) -> None:
        """Wait until nothing is live here, and nothing is about to be."""
        deadline = self._loop.time() + seconds
        while (self.runs or self._starts) and self._loop.time() < deadline:
            if interrupting:
                for run in list(self.runs.values()):
                    run.decide(interrupted("shutdown"))
            settled = [run.settled for run in self.runs.values()]
            await asyncio.wait(self._starts or settled, timeout=deadline - self._loop.time())


async def _quietly(function: Callable[[UUID], None], worker_id: UUID) -> None:
    """Write what others could do without: the end must come even where storage is away."""
    try:
        await threads.write_beat(function, worker_id)
    except (DatabaseError, InterfaceError) as error:
        logger.warning("%s was not written: %s", function.__name__, type(error).__name__)


_current: LocalWorker | None = None


def current() -> LocalWorker:
    """Return this process's worker; the first call makes it and must come from its event loop."""
    global _current
    if _current is None:
        _current = LocalWorker()
        _current.begin()
    return _current


def peek() -> LocalWorker | None:
    """Return this process's worker if there is one."""
    return _current


def forget() -> None:
    """Let the next call of `current` make a new worker; after a drain, for tests and reloads."""
    global _current
    _current = None
