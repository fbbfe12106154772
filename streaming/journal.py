"""The writer of the journal: one per process, self-clocked group commit.

While one commit is in flight, and in a pause behind it, text gathers; the next commit takes it all.
An idle server commits a token at once. On a busy one a commit costs as much as the way of twenty
tokens, so the pause grows with what the commit took, up to an interval that no reader can see; and
with the number of runs, so that a process that produces hundreds of replies writes, and sends,
fewer and longer pieces. Before a commit, what waits in the sources' sockets is read.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sized
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import InterfaceError, OperationalError, connection

from streaming import metrics, statements, threads, tracing
from streaming.conf import conf
from streaming.pacing import Pace
from streaming.statements import Fenced, Row

if TYPE_CHECKING:
    from streaming.runner import LiveRun

logger = logging.getLogger(__name__)

_BATCH_CHARACTERS = 2_000_000
_FIRST_RETRY_SECONDS = 0.05
_LONGEST_RETRY_SECONDS = 2.0
_LEAST_PAUSE_SECONDS = 0.005  # on SQLite other processes need the file, too
_REST_PER_WORK = 8
_PAUSE_SECONDS_PER_RUN = 0.0004
_LONGEST_PAUSE_SECONDS = 0.15
_READING_SECONDS = 0.001  # in which the loop reads whatever has come


class Journal:
    """Commits the pending text of all live runs of this process, then publishes it.

    Args:
        runs: the live runs of this process.
    """

    def __init__(self, worker_id: UUID, runs: Sized, *, on_fenced: Callable[[UUID], None]) -> None:
        self._worker_id = worker_id
        self._runs = runs
        self._on_fenced = on_fenced
        self._dirty: dict[LiveRun, None] = {}
        self._in_flight: list[LiveRun] = []
        self._work = asyncio.Event()
        self.pace = Pace(self._work.set)
        """Lets sources rest until the next turn."""
        self._committed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.failing_since: float | None = None
        """Monotonic time since which no commit succeeded; None while storage answers."""

    def change_worker(self, worker_id: UUID) -> None:
        """Write as another worker from now on: the one before was fenced."""
        self._worker_id = worker_id
        self._dirty.clear()

    def note(self, run: "LiveRun") -> None:
        """Take up a run that has pending text."""
        if not self._dirty:
            self._work.set()
        self._dirty[run] = None

    async def room(self, run: "LiveRun") -> None:
        """Wait until the run's pending text is below its bound."""
        while run.transcript.pending_characters >= conf().pending_characters:
            await self._next_commit()

    async def release(self, run: "LiveRun") -> None:
        """Let go of a run that is about to settle: no batch with it is in flight afterwards."""
        self._dirty.pop(run, None)
        while run in self._in_flight:
            await self._next_commit()

    async def write_forever(self) -> None:
        """Commit for as long as the process lives."""
        while True:
            await self._work.wait()
            self._work.clear()
            while self._dirty or self.pace.wanted:
                try:
                    await self._take_turn()
                except Exception:  # every reply of this process depends on the next one
                    logger.exception("A turn of the journal failed; it goes on")
                    self._let_go()
                    await asyncio.sleep(_FIRST_RETRY_SECONDS)

    async def _take_turn(self) -> None:
        """Commit what is pending, let text gather, and read what came for it."""
        if self._dirty:
            await asyncio.sleep(await self._write())
        if self.pace.wanted:
            self.pace.turn()
            await asyncio.sleep(_READING_SECONDS)

    async def _write(self) -> float:
        """Commit what is pending; return how long to let text gather before the next commit."""
        started = time.monotonic()
        rows = self._freeze()
        with tracing.span("commit", fragments=len(rows)):
            await self._commit(self._worker_id, rows)
        took = time.monotonic() - started
        metrics.commits.inc()
        metrics.commit_seconds.observe(took)
        metrics.commit_characters.observe(sum(len(piece.text) for _, piece in rows))
        return _pause_seconds(took, len(self._runs))

    def _freeze(self) -> list[Row]:
        rows: list[Row] = []
        size = 0
        while self._dirty and size < _BATCH_CHARACTERS:
            run = next(iter(self._dirty))
            del self._dirty[run]
            self._in_flight.append(run)
            size += run.transcript.pending_characters
            rows += [(run.run_id, piece) for piece in run.transcript.freeze()]
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
        self._let_go()

    def _let_go(self) -> None:
        self._in_flight.clear()
        self._committed.set()
        self._committed = asyncio.Event()

    async def _commit_apart(self, worker_id: UUID, rows: list[Row]) -> None:
        for run in list(self._in_flight):
            try:
                await self._retry(worker_id, [row for row in rows if row[0] == run.run_id])
            except Fenced:
                self._on_fenced(worker_id)
                return
            except Exception:  # as above; only the offender ends
                logger.exception("Fragments of run %s were refused", run.run_id)
                run.refuse_text()
            else:
                self._publish([run])

    async def _retry(self, worker_id: UUID, rows: list[Row]) -> None:
        delay = _FIRST_RETRY_SECONDS
        while True:
            try:
                await threads.write_journal(statements.append, worker_id, rows)
            except (OperationalError, InterfaceError) as error:
                metrics.storage_errors.labels("append").inc()
                if self.failing_since is None:
                    self.failing_since = time.monotonic()
                    logger.warning("Storage does not take text: %s", type(error).__name__)
                self._committed.set()
                self._committed = asyncio.Event()
                await asyncio.sleep(delay)
                delay = min(delay * 2, _LONGEST_RETRY_SECONDS)
            except Exception:  # it refused this, for what it holds or for who asks
                self._note_answer()
                raise
            else:
                self._note_answer()
                return

    def _note_answer(self) -> None:
        """Take note that storage answers."""
        if self.failing_since is not None:
            self.failing_since = None
            logger.warning("Storage takes text again")

    def _publish(self, runs: "list[LiveRun]") -> None:
        for run in runs:
            run.transcript.commit()
            run.wake()

    async def _next_commit(self) -> None:
        await self._committed.wait()


def _pause_seconds(took: float, runs: int) -> float:
    """Say how long to let text of so many runs gather, after a commit that took so long."""
    # Where little is written commits are short, and the pause hardly shows.
    usual = min(took * _REST_PER_WORK, conf().journal_min_interval_ms / 1000 - took)
    crowded = min(runs * _PAUSE_SECONDS_PER_RUN, _LONGEST_PAUSE_SECONDS) - took
    least = _LEAST_PAUSE_SECONDS if connection.vendor == "sqlite" else 0.0
    return max(usual, crowded, least)
