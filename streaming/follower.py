"""Runs of other workers: one poller per process for all that are read here."""

import asyncio
import logging
import time
from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import DatabaseError, InterfaceError
from django.db.models.functions import Now

from streaming import statements, threads
from streaming.conf import conf
from streaming.detached import spawn
from streaming.events import Ended
from streaming.feed import Feed
from streaming.models import Run
from streaming.outcome import stopped
from streaming.recorder import Recorded, recorder
from streaming.statements import Followed
from streaming.transcript import Piece, Transcript

logger = logging.getLogger(__name__)

_WATCH_SECONDS = 1.0
_UNREAD_SECONDS = 5.0
_WATCHED_FOR = timedelta(seconds=3.5)
_STORAGE_PAUSE_SECONDS = 0.5


class FollowedRun(Feed):
    """A run that another worker produces."""

    def __init__(self, run_id: UUID, about: dict[str, Any], *, on_disconnect: str) -> None:
        super().__init__(run_id, about, Transcript())
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
    """Keeps the feeds of followed runs up to date while anybody reads them."""

    def __init__(self) -> None:
        self._runs: dict[UUID, FollowedRun] = {}
        self._task: asyncio.Task[None] | None = None
        self._watched_at = 0.0

    def __len__(self) -> int:
        return len(self._runs)

    async def follow(self, run_id: UUID) -> Feed | None:
        """Return the feed of a run that is not produced here, live or settled.

        Returns:
            None where there is neither a run nor a reply.
        """
        known = self._runs.get(run_id)
        if known is not None and not known.lost and known.ended is None:
            known.asked_at = time.monotonic()
            await self._refresh({run_id: known})
            if not known.lost:
                return known
        row, found = await threads.read(_open, run_id)
        if row is None:
            recorded = await threads.read(recorder().load, run_id)
            if recorded is not None:
                return _settled(run_id, recorded)
            # Gone; or re-opened between the two reads.
            row, found = await threads.read(_open, run_id)
            if row is None:
                return None
        if row.on_disconnect == "stop":
            await threads.write(_watch, [run_id])
        return self._followed(row, found.pieces)

    def _followed(self, row: Run, pieces: Iterable[Piece]) -> FollowedRun:
        """Return the one feed that the poller keeps for a run, however many asked at once."""
        run = self._runs.get(row.id)
        if run is None or run.lost or run.ended is not None:
            run = FollowedRun(row.id, row.about, on_disconnect=row.on_disconnect)
            self._runs[row.id] = run
        run.asked_at = time.monotonic()
        run.take(pieces)
        if self._task is None or self._task.done():
            self._task = spawn(self._poll_while_read(), name="follower")
        return run

    async def _poll_while_read(self) -> None:
        """Poll until nobody reads a followed run any more."""
        while True:
            await asyncio.sleep(conf().poll_interval_ms / 1000)
            for run in [r for r in self._runs.values() if not r.readers]:
                if time.monotonic() - run.asked_at > _UNREAD_SECONDS:
                    self._drop(run)
            if not self._runs:
                return
            try:
                await self._refresh(dict(self._runs))
                await self._raise_watch()
            except (DatabaseError, InterfaceError) as error:
                logger.warning("Following waits for storage: %s", type(error).__name__)
                for run in self._runs.values():
                    run.state = "recovering"
                await asyncio.sleep(_STORAGE_PAUSE_SECONDS)
            except Exception:  # the readers of all followed runs depend on the next poll
                logger.exception("Following failed; it goes on")
                await asyncio.sleep(_STORAGE_PAUSE_SECONDS)

    async def _refresh(self, runs: dict[UUID, FollowedRun]) -> None:
        positions = {run_id: run.transcript.end for run_id, run in runs.items()}
        if not positions:
            return
        for run_id, found in (await threads.read(statements.follow, positions)).items():
            run = runs[run_id]
            if found.live:
                if run.state == "recovering":
                    run.state = "streaming" if run.transcript.end.part else "waiting"
                run.take(found.pieces)
            else:
                await self._finish(run)

    async def _finish(self, run: FollowedRun) -> None:
        """Give the readers the end of a run whose row is gone; one load serves them all."""
        recorded = await threads.read(recorder().load, run.run_id)
        reopened = recorded is None and (await threads.read(_open, run.run_id))[0] is not None
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


def _open(run_id: UUID) -> tuple[Run | None, Followed]:
    row = Run.objects.filter(id=run_id).first()
    if row is None:
        return None, Followed(False, [])
    found = statements.follow({run_id: Transcript().end})[run_id]
    # Settled between the two statements: the caller loads the reply.
    return (row if found.live else None), found


def _watch(run_ids: list[UUID]) -> None:
    Run.objects.filter(id__in=run_ids).update(watched_until=Now() + _WATCHED_FOR)


def _settled(run_id: UUID, recorded: Recorded) -> Feed:
    feed = Feed(run_id, recorded.about, Transcript(recorded.parts))
    feed.ended = Ended.of(recorded.outcome, recorded.parts)
    return feed
