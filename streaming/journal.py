"""The writer of the journal: one per process, self-clocked group commit.

While one commit is in flight, and for the rest of its interval, text gathers; the next commit
takes it all. An idle server commits a token at once, a busy one commits bigger batches: a commit
costs as much as the way of twenty tokens, and nobody reads in steps of 20 ms.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection

from streaming import statements, threads
from streaming.conf import conf
from streaming.statements import Fenced, Row

if TYPE_CHECKING:
    from streaming.runner import LiveRun

logger = logging.getLogger(__name__)

_BATCH_CHARACTERS = 2_000_000
_FIRST_RETRY_SECONDS = 0.05
_LONGEST_RETRY_SECONDS = 2.0
_LEAST_PAUSE_SECONDS = 0.005  # on SQLite other processes need the file, too


class Journal:
    """Commits the pending text of all live runs of this process, then publishes it."""

    def __init__(self, worker_id: UUID, *, on_fenced: Callable[[UUID], None]) -> None:
        self._worker_id = worker_id
        self._on_fenced = on_fenced
        self._dirty: dict[UUID, LiveRun] = {}
        self._in_flight: dict[UUID, LiveRun] = {}
        self._work = asyncio.Event()
        self._committed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.failing_since: float | None = None
        """Monotonic time since which no commit succeeded; None while storage answers."""
        self.commits = 0
        self.commit_seconds = 0.0

    def change_worker(self, worker_id: UUID) -> None:
        """Write as another worker from now on: the one before was fenced."""
        self._worker_id = worker_id
        self._dirty.clear()

    def note(self, run: "LiveRun") -> None:
        """Take up a run that has pending text."""
        self._dirty[run.run_id] = run
        self._work.set()

    async def room(self, run: "LiveRun") -> None:
        """Wait until the run's pending text is below its bound."""
        while run.transcript.pending_characters >= conf().pending_characters:
            await self._next_commit()

    async def release(self, run: "LiveRun") -> None:
        """Let go of a run that is about to settle: no batch with it is in flight afterwards."""
        self._dirty.pop(run.run_id, None)
        while run.run_id in self._in_flight:
            await self._next_commit()

    async def write_forever(self) -> None:
        """Commit for as long as the process lives."""
        while True:
            await self._work.wait()
            self._work.clear()
            while self._dirty:
                started = time.monotonic()
                await self._commit(self._worker_id, self._freeze())
                self.commits += 1
                self.commit_seconds += time.monotonic() - started
                await asyncio.sleep(self._pause_seconds(time.monotonic() - started))

    def _freeze(self) -> list[Row]:
        rows: list[Row] = []
        size = 0
        while self._dirty and size < _BATCH_CHARACTERS:
            run = self._dirty.pop(next(iter(self._dirty)))
            self._in_flight[run.run_id] = run
            for piece in run.transcript.freeze():
                rows.append(Row(run.run_id, piece))
                size += len(piece.text)
        return rows

    async def _commit(self, worker_id: UUID, rows: list[Row]) -> None:
        """Commit frozen rows, unchanged, until their fate is known; then publish.

        Args:
            worker_id: who froze them: a worker that is registered anew may not write them.
        """
        try:
            await self._retry(worker_id, rows)
        except Fenced:
            self._on_fenced(worker_id)
        except Exception:  # whatever is wrong with one run's text, the other runs go on
            logger.exception("A batch of %d fragments was refused; trying run by run", len(rows))
            await self._commit_apart(worker_id, rows)
        else:
            self._publish(self._in_flight)
        self._in_flight.clear()
        self._committed.set()
        self._committed = asyncio.Event()

    async def _commit_apart(self, worker_id: UUID, rows: list[Row]) -> None:
        for run_id, run in list(self._in_flight.items()):
            try:
                await self._retry(worker_id, [row for row in rows if row.run_id == run_id])
            except Fenced:
                self._on_fenced(worker_id)
                return
            except Exception:  # as above; only the offender ends
                logger.exception("Fragments of run %s were refused", run_id)
                run.refuse_text()
            else:
                self._publish({run_id: run})

    async def _retry(self, worker_id: UUID, rows: list[Row]) -> None:
        delay = _FIRST_RETRY_SECONDS
        while True:
            try:
                await threads.write_journal(statements.append, worker_id, rows)
            except (OperationalError, InterfaceError) as error:
                if self.failing_since is None:
                    self.failing_since = time.monotonic()
                    logger.warning("Storage does not take text: %s", type(error).__name__)
                self._committed.set()
                self._committed = asyncio.Event()
                await asyncio.sleep(delay)
                delay = min(delay * 2, _LONGEST_RETRY_SECONDS)
            else:
                if self.failing_since is not None:
                    self.failing_since = None
                    logger.warning("Storage takes text again")
                return

    def _publish(self, runs: dict[UUID, "LiveRun"]) -> None:
        for run in runs.values():
            run.transcript.commit()
            run.wake()

    async def _next_commit(self) -> None:
        await self._committed.wait()

    def _pause_seconds(self, took: float) -> float:
        least = _LEAST_PAUSE_SECONDS if connection.vendor == "sqlite" else 0.0
        return max(conf().journal_min_interval_ms / 1000 - took, least)
