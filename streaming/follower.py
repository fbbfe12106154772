"""Runs of other workers: one poller per process for all that are read here."""

import asyncio
import logging
import time
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import DatabaseError, InterfaceError
from django.db.models.functions import Now

from streaming import metrics, statements, threads
from streaming.conf import conf
from streaming.detached import spawn
from streaming.events import Ended
from streaming.feed import Feed
from streaming.gathering import Gatherer
from streaming.models import Run
from streaming.outcome import stopped
from streaming.recorder import Recorded, recorder
from streaming.statements import Followed
from streaming.transcript import Piece, Transcript

if TYPE_CHECKING:
    from streaming.waking.waking import Waking

logger = logging.getLogger(__name__)

_LEAST_PAUSE_SECONDS = 0.02  # however many workers wake us, no more polls than fifty a second
_WOKEN_PAUSE_SECONDS = 1.0
_WATCH_SECONDS = 1.0
_UNREAD_SECONDS = 5.0
_WATCHED_FOR = timedelta(seconds=3.5)
_STORAGE_PAUSE_SECONDS = 0.5
_MOST_AT_ONCE = 1000


class FollowedRun(Feed):
    """A run that another worker produces."""

    def __init__(
        self, run_id: UUID, about: dict[str, Any], *, owner: UUID, on_disconnect: str
    ) -> None:
        super().__init__(run_id, about, Transcript())
        self.owner = owner
        """The worker that produces it, as the last poll saw."""
        self.on_disconnect = on_disconnect
        self.asked_at = time.monotonic()
        """When somebody last asked for it: a reader may be about to attach."""

    def take(self, pieces: Iterable[Piece]) -> None:
        """Add what a poll found; a gap makes the readers open the run anew."""
        found = False
        for piece in pieces:
            found = True
            if not self.transcript.extend(piece):
                self.lose()
                return
        if found:
            self.state = "streaming"
            self.progressed_at = time.monotonic()
            self.wake()


class Follower:
    """Keeps the feeds of followed runs up to date while anybody reads them.

    It polls. Where the workers that produce the runs wake it, it looks at once at the runs that
    they name, and seldom at all of them.
    """

    def __init__(self) -> None:
        self.waking: Waking | None = None
        self._runs: dict[UUID, FollowedRun] = {}
        self._looks: Gatherer[UUID, Feed | None] = Gatherer(
            self._look_for, most=_MOST_AT_ONCE, name="follow"
        )
        self._task: asyncio.Task[None] | None = None
        self._watched_at = 0.0
        self._polled_at = 0.0
        self._all_polled_at = 0.0
        self._named: set[UUID] = set()
        self._woken = asyncio.Event()

    def __len__(self) -> int:
        return len(self._runs)

    def owners(self) -> Mapping[UUID, UUID]:
        """Map each followed run to the worker that produces it."""
        return {run.run_id: run.owner for run in self._runs.values()}

    def wake(self, runs: Collection[UUID] | None = None) -> None:
        """Look at runs at once; None: how runs are looked at has changed."""
        if runs is not None:
            followed = self._runs.keys() & set(runs)
            if not followed:
                return
            self._named |= followed
        self._woken.set()

    async def follow(self, run_id: UUID) -> Feed | None:
        """Return the feed of a run that is not produced here, live or settled.

        It is as new as this call. Whoever asks while one look is on its way shares the next one: a
        thousand readers who come back at once cost two.

        Returns:
            None where there is neither a run nor a reply.
        """
        return await self._looks.submit(run_id)

    async def _look_for(self, run_ids: list[UUID]) -> list[Feed | None | Exception]:
        known = {run_id: run for run_id in run_ids if (run := self._known(run_id)) is not None}
        for run in known.values():
            run.asked_at = time.monotonic()
        await self._refresh(known)
        found: dict[UUID, Feed | None | BaseException] = {
            run_id: run for run_id, run in known.items() if not run.lost
        }
        others = [run_id for run_id in dict.fromkeys(run_ids) if run_id not in found]
        opened = await asyncio.gather(*map(self._open, others), return_exceptions=True)
        found |= dict(zip(others, opened, strict=True))
        return [_result(found[run_id]) for run_id in run_ids]

    def _known(self, run_id: UUID) -> FollowedRun | None:
        run = self._runs.get(run_id)
        return run if run is not None and not run.lost and run.ended is None else None

    async def _open(self, run_id: UUID) -> Feed | None:
        row, found = await threads.read(_open, run_id)
        if row is None:
            recorded = await threads.read(recorder().load, run_id)
            if recorded is not None:
                return _settled(run_id, recorded)
            # Gone; or re-opened between the two reads, or even settled again behind that.
            row, found = await threads.read(_open, run_id)
            if row is None:
                recorded = await threads.read(recorder().load, run_id)
                return None if recorded is None else _settled(run_id, recorded)
        if row.on_disconnect == "stop":
            await threads.write(_watch, [run_id])
        return self._followed(row, found)

    def _followed(self, row: Run, found: Followed) -> FollowedRun:
        """Return the one feed that the poller keeps for a run, however many asked at once."""
        run = self._runs.get(row.id)
        if run is None or run.lost or run.ended is not None:
            run = FollowedRun(
                row.id, row.about, owner=row.worker_id, on_disconnect=row.on_disconnect
            )
            self._runs[row.id] = run
            if self.waking is not None:
                self.waking.follow(row.id, row.worker_id)
        run.asked_at = time.monotonic()
        run.take(found.pieces)
        if not found.owned:
            run.state = "recovering"
        if self._task is None or self._task.done():
            self._task = spawn(self._poll_while_read(), name="follower")
        return run

    def hand_over(self, run_id: UUID) -> None:
        """Send the readers of a run to its feed in this process, which produces it from now on."""
        run = self._runs.pop(run_id, None)
        if run is not None:
            run.lose()

    async def _poll_while_read(self) -> None:
        """Poll until nobody reads a followed run any more."""
        self._all_polled_at = time.monotonic()
        while True:
            named = await self._next_poll()
            for run in [r for r in self._runs.values() if not r.readers]:
                if time.monotonic() - run.asked_at > _UNREAD_SECONDS:
                    self._drop(run)
            if not self._runs:
                return
            try:
                await self._refresh({i: r for i, r in self._runs.items() if i in named})
                await self._raise_watch()
            except (DatabaseError, InterfaceError) as error:
                logger.warning("Following waits for storage: %s", type(error).__name__)
                for run in self._runs.values():
                    run.state = "recovering"
                await asyncio.sleep(_STORAGE_PAUSE_SECONDS)
            except Exception:  # the readers of all followed runs depend on the next poll
                logger.exception("Following failed; it goes on")
                await asyncio.sleep(_STORAGE_PAUSE_SECONDS)

    async def _next_poll(self) -> Collection[UUID]:
        """Wait until it is time, or somebody wakes us; return the runs to look at."""
        while True:
            now = time.monotonic()
            if now >= self._all_polled_at + self._pause_seconds():
                self._all_polled_at = self._polled_at = now
                self._named.clear()
                return set(self._runs)
            if self._named:
                wait = self._polled_at + _LEAST_PAUSE_SECONDS - now
                if wait <= 0:
                    self._polled_at = now
                    named, self._named = self._named, set()
                    return named
                await asyncio.sleep(wait)
                continue
            self._woken.clear()
            try:
                async with asyncio.timeout(self._all_polled_at + self._pause_seconds() - now):
                    await self._woken.wait()
            except TimeoutError:
                pass

    def _pause_seconds(self) -> float:
        """Say how long to go without a look at all runs."""
        pause = conf().poll_interval_ms / 1000
        waking = self.waking
        if waking is None or not all(waking.covers(run.owner) for run in self._runs.values()):
            return pause
        return max(pause, _WOKEN_PAUSE_SECONDS)

    async def _refresh(self, runs: dict[UUID, FollowedRun]) -> None:
        positions = {run_id: run.transcript.end for run_id, run in runs.items()}
        if not positions:
            return
        metrics.follow_polls.inc()
        for run_id, found in (await threads.read(statements.follow, positions)).items():
            run = runs[run_id]
            if found.owner is not None and found.owner != run.owner:
                run.owner = found.owner
                if self.waking is not None:
                    self.waking.follow(run_id, found.owner)
            if found.live and not found.owned:
                run.take(found.pieces)
                run.state = "recovering"
            elif found.live:
                if run.state == "recovering":
                    run.state = "streaming" if run.transcript.end.part else "waiting"
                run.take(found.pieces)
            else:
                await self._finish_or_lose(run)

    async def _finish_or_lose(self, run: FollowedRun) -> None:
        try:
            await self._finish(run)
        except (DatabaseError, InterfaceError):
            raise
        except Exception:  # the recorder's; readers of the other runs go on
            logger.exception("Run %s cannot be loaded", run.run_id)
            self._drop(run)
            run.lose()

    async def _finish(self, run: FollowedRun) -> None:
        """Give the readers the end of a run whose row is gone; one load serves them all."""
        recorded = await threads.read(recorder().load, run.run_id)
        reopened = recorded is None and (await threads.read(_open, run.run_id))[0] is not None
        if recorded is None and not reopened:
            recorded = await threads.read(recorder().load, run.run_id)  # settled between the two
        self._drop(run)
        if reopened:
            run.lose()
        elif recorded is None:
            run.end(Ended.of(stopped("deleted"), run.transcript.stored()))
        else:
            run.transcript = Transcript(recorded.parts)
            run.end(Ended.of(recorded.outcome, recorded.parts))

    async def _raise_watch(self) -> None:
        watched = [r.run_id for r in self._runs.values() if r.on_disconnect == "stop" and r.readers]
        if watched and time.monotonic() - self._watched_at >= _WATCH_SECONDS:
            self._watched_at = time.monotonic()
            await threads.write(_watch, watched)

    def _drop(self, run: FollowedRun) -> None:
        if self._runs.get(run.run_id) is run:
            del self._runs[run.run_id]


def _result(found: Feed | None | BaseException) -> Feed | None | Exception:
    if isinstance(found, BaseException) and not isinstance(found, Exception):
        raise found
    return found


def _open(run_id: UUID) -> tuple[Run | None, Followed]:
    row = Run.objects.filter(id=run_id).first()
    if row is None:
        return None, Followed(None, [])
    found = statements.follow({run_id: Transcript().end})[run_id]
    # Settled between the two statements: the caller loads the reply.
    return (row if found.live else None), found


def _watch(run_ids: list[UUID]) -> None:
    Run.objects.filter(id__in=run_ids).update(watched_until=Now() + _WATCHED_FOR)


def _settled(run_id: UUID, recorded: Recorded) -> Feed:
    feed = Feed(run_id, recorded.about, Transcript(recorded.parts))
    feed.ended = Ended.of(recorded.outcome, recorded.parts)
    return feed
