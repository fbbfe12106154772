"""This process as a worker: its runs, its journal, its beat, and its watch over the others."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID, uuid4

from django.db import DatabaseError, InterfaceError

from streaming import lockfile, takeover, threads
from streaming.conf import conf
from streaming.detached import spawn
from streaming.feed import Feed
from streaming.follower import Follower
from streaming.gathering import Gatherer
from streaming.journal import Journal
from streaming.lockfile import LockFile
from streaming.outcome import failed, interrupted
from streaming.runner import LiveRun
from streaming.settlement import MOST_AT_ONCE, End, Settled, settle
from streaming.statements import Fenced
from streaming.subscription import Subscription, record_departures
from streaming.takeover import Seen

logger = logging.getLogger(__name__)

_TICK_SECONDS = 0.25
_POLLS_PER_LEASE = 6
_RECONCILE_SECONDS = 3.0
_STOP_POLL_SECONDS = 0.5
_RETRY_SECONDS = 1.0


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
        self.journal = Journal(self.id, on_fenced=self._fenced)
        self.settlements: Gatherer[End, Settled] = Gatherer(
            settle, most=MOST_AT_ONCE, name="settle"
        )
        self.departures: Gatherer[UUID, None] = Gatherer(
            record_departures, most=1000, name="departures"
        )
        self.draining = False
        self.registered = asyncio.Event()
        self._lock: LockFile | None = None
        self._unmoved: dict[Seen, int] = {}
        self._polled_at = 0.0
        self._tasks: list[asyncio.Task[Any]] = []
        self._drained: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Start the worker's tasks; registration goes on in the background."""
        self._tasks = [
            spawn(self._register(), name="register"),
            spawn(self._beat_forever(), name="beat"),
            spawn(self._watch_forever(), name="watch workers"),
            spawn(self._tick_forever(), name="clocks"),
            spawn(self._reconcile_forever(), name="reconcile"),
            spawn(self._poll_stops_forever(), name="poll stops"),
        ]
        self._write_task = spawn(self.journal.write_forever(), name="journal")

    async def feed(self, run_id: UUID) -> Feed | None:
        """Find a run: here, on another worker, or settled; None where there is none."""
        run = self.runs.get(run_id)
        if run is not None and not run.lost:
            return run
        return await self.follower.follow(run_id)

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
                directory = conf().run_directory
                if directory and self._lock is None:
                    self._lock = LockFile(directory, self.id)
                await threads.write_beat(takeover.register, self.id)
                self.registered.set()
                await self._look_at_others()
                await self._settle_orphans()
            except (DatabaseError, InterfaceError) as error:
                logger.warning("Registration waits for storage: %s", type(error).__name__)
                await asyncio.sleep(_RETRY_SECONDS)

    async def _beat_forever(self) -> None:
        await self.registered.wait()
        while True:
            worker_id = self.id
            try:
                await threads.write_beat(takeover.raise_beat, worker_id)
            except Fenced:
                self._fenced(worker_id)
                await self.registered.wait()
            except (DatabaseError, InterfaceError) as error:
                logger.warning("The beat waits for storage: %s", type(error).__name__)
            await asyncio.sleep(conf().lease_seconds / _POLLS_PER_LEASE / 2)

    async def _watch_forever(self) -> None:
        pause = min(conf().lease_seconds / _POLLS_PER_LEASE, 1.0)
        while True:
            await self.registered.wait()
            await asyncio.sleep(pause)
            try:
                await self._look_at_others()
                await self._settle_orphans()
            except (DatabaseError, InterfaceError) as error:
                self._unmoved.clear()
                logger.warning("Watching waits for storage: %s", type(error).__name__)

    async def _look_at_others(self) -> None:
        """Count death, do not clock it: N successive polls that saw the same beat.

        A poll that failed, or a gap in our own polling (we were paused), starts the count again.
        """
        lease = conf().lease_seconds
        pause = min(lease / _POLLS_PER_LEASE, 1.0)
        now = time.monotonic()
        if now - self._polled_at > 3 * pause:
            self._unmoved.clear()
        self._polled_at = now
        seen_now = await threads.read(takeover.others, self.id)
        self._unmoved = {seen: self._unmoved.get(seen, 0) + 1 for seen in seen_now}
        for seen, count in self._unmoved.items():
            found = lockfile.look(conf().run_directory, seen.worker_id)
            if found == "dead" or (count - 1) * pause >= lease:
                if await threads.write_beat(takeover.declare_dead, seen):
                    logger.warning("Worker %s is dead; its runs are settled here", seen.worker_id)
                    lockfile.remove(conf().run_directory, seen.worker_id)

    async def _settle_orphans(self) -> None:
        while await threads.write(takeover.settle_orphans):
            pass

    async def _reconcile_forever(self) -> None:
        while True:
            await asyncio.sleep(_RECONCILE_SECONDS)
            if not self.registered.is_set():
                continue
            await self._quietly(threads.write, takeover.settle_unheld, self.id, self.runs)

    async def _poll_stops_forever(self) -> None:
        while True:
            await asyncio.sleep(_STOP_POLL_SECONDS)
            if not self.runs:
                continue
            for run_id, discarded in (
                await self._quietly(threads.read, takeover.to_end, self.id) or ()
            ):
                run = self.runs.get(run_id)
                if run is not None:
                    run.stop("deleted" if discarded else "user")

    async def _quietly(
        self,
        call: Callable[..., Coroutine[Any, Any, Any]],
        function: Callable[..., Any],
        *args: Any,
    ) -> Any:
        try:
            return await call(function, *args)
        except (DatabaseError, InterfaceError) as error:
            logger.warning("%s waits for storage: %s", function.__name__, type(error).__name__)
            return None

    async def _tick_forever(self) -> None:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            if self.runs:
                self._check_clocks()
                await self._check_departures()

    def _check_clocks(self) -> None:
        limits = conf()
        now = time.monotonic()
        away = self.journal.failing_since
        if (
            away is not None
            and limits.storage_wait_seconds
            and (now - away > limits.storage_wait_seconds)
        ):
            for run in self.runs.values():
                run.decide(failed("storage_unavailable"))
        for run in self.runs.values():
            waited = now - run.awaiting_since if run.awaiting_since is not None else 0.0
            if limits.no_progress_seconds and waited > limits.no_progress_seconds:
                run.decide(failed("no_progress"))
            elif limits.deadline_seconds and now - run.started_at > limits.deadline_seconds:
                run.decide(failed("deadline"))

    async def _check_departures(self) -> None:
        """Interrupt runs under policy `stop` whose last reader, here or elsewhere, is long gone."""
        grace = conf().disconnect_grace_seconds
        now = time.monotonic()
        left = [
            run
            for run in self.runs.values()
            if run.on_disconnect == "stop"
            and run.outcome is None
            and run.departed_at is not None
            and now - run.departed_at >= grace
        ]
        if not left:
            return
        ids = [run.run_id for run in left]
        watched = await self._quietly(threads.read, takeover.watched, ids)
        if watched is None:
            return
        for run in left:
            if run.run_id in watched:
                run.departed_at = now
            elif not run.readers:
                run.decide(interrupted("client_disconnected"))

    def _fenced(self, worker_id: UUID) -> None:
        """Stop spending, send the readers to where their runs are now, and register anew.

        Args:
            worker_id: who was found dead; the news may come late, and more than once.
        """
        if worker_id != self.id or not self.registered.is_set():
            return
        logger.warning("Worker %s was declared dead by the others; it registers anew", self.id)
        self.registered.clear()
        for run in list(self.runs.values()):
            run.abandon()
        if self._lock is not None:
            self._lock.release()
            self._lock = None
        self.id = uuid4()
        self.journal.change_worker(self.id)
        spawn(self._register(), name="register")

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
            await self._quietly(threads.write_beat, takeover.note_draining, self.id)
        await self._runs_end(patience)
        for run in list(self.runs.values()):
            run.decide(interrupted("shutdown"))
        await self._runs_end(conf().storage_wait_seconds)
        for subscription in list(self.subscriptions):
            subscription.plan_close()
        for task in [*self._tasks, self._write_task]:
            task.cancel()
        if self.registered.is_set():
            await self._quietly(threads.write_beat, takeover.unregister, self.id)
        if self._lock is not None:
            self._lock.release()
            self._lock = None
        await threads.close_connections()

    async def _runs_end(self, seconds: float) -> None:
        ends = [asyncio.ensure_future(run.settled.wait()) for run in self.runs.values()]
        if ends:
            await asyncio.wait(ends, timeout=seconds)
            for end in ends:
                end.cancel()


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
