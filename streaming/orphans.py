"""What this worker does about runs that no living worker owns: it continues or settles them."""

import asyncio
import logging
import time
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import DatabaseError, InterfaceError

from streaming import metrics, resuming, runner, takeover, threads
from streaming.conf import conf
from streaming.detached import spawn
from streaming.resuming import Claimed, Unresumable
from streaming.statements import Fenced
from streaming.unsure import Unsure
from streaming.watch import Watch

if TYPE_CHECKING:
    from streaming.workers import LocalWorker

logger = logging.getLogger(__name__)

_LEFT_FOR = 1 / 3
"""For what part of a lease runs are left to other workers, since one of them last took any."""

_MOST_FAILURES = 3
"""After so many of its takeovers failed here, a run is given up."""


class Orphans:
    """Deals with the runs of lost workers, one look at a time."""

    def __init__(self, worker: "LocalWorker", watch: Watch) -> None:
        self._worker = worker
        self._watch = watch
        self._task: asyncio.Task[None] | None = None
        self._left_since: dict[UUID, float] = {}
        """Since when we have no room for a run that could go on."""
        self._failures: dict[UUID, tuple[int, float]] = {}
        """How often a takeover failed, and our own beat when that was counted."""
        self.unsure: dict[UUID, Claimed] = {}
        """Claims whose answer was lost: they may be ours, so nobody settles them meanwhile."""
        self.claiming: dict[UUID, None] = {}
        """Claims that are on their way: the same."""

    def look_soon(self) -> None:
        """Look for such runs, unless we do already."""
        if self._task is None or self._task.done():
            self._task = spawn(self._look(), name="orphans")

    async def finish(self) -> None:
        """Look no more; whatever was begun is done."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _look(self) -> None:
        try:
            given_up = await self._continue() if conf().on_worker_loss == "continue" else None
            while ends := await threads.write(takeover.settle_orphans, given_up):
                for ended in ends.values():
                    metrics.count_end(ended.status, ended.reason)
                    metrics.lost_runs.labels(ended.status).inc()
        except (DatabaseError, InterfaceError) as error:
            logger.warning("Runs of lost workers wait for storage: %s", type(error).__name__)
        except Fenced:
            pass  # we are lost ourselves, and look again when we are registered anew

    async def _continue(self) -> list[UUID]:
        """Go on with what can go on; return what is to be settled instead."""
        found = [*self.unsure, *await threads.read(resuming.resumable)]
        if not self._left_since.keys() <= set(found):
            self._left_since.clear()  # the others are not done with claiming
        self._failures = {
            run_id: failures for run_id, failures in self._failures.items() if run_id in found
        }
        given_up = []
        for run_id in found:
            if not self._worker.registered.is_set():
                break
            if self._worker.draining and run_id not in self.unsure:
                break
            if self._has_room():
                self._left_since.pop(run_id, None)
                if not await self._take_over(run_id):
                    given_up.append(run_id)
            elif self._is_left_too_long(run_id):
                given_up.append(run_id)
        for run_id in given_up:
            self._left_since.pop(run_id, None)
        return given_up

    def _has_room(self) -> bool:
        most = conf().runs_per_worker
        return not most or len(self._worker.runs) < most

    def _is_left_too_long(self, run_id: UUID) -> bool:
        now = time.monotonic()
        return now - self._left_since.setdefault(run_id, now) >= conf().lease_seconds * _LEFT_FOR

    async def _take_over(self, run_id: UUID) -> bool:
        """Go on with a run; False where it is to be settled.

        Cancellation: once its row is ours, it has its producer all the same.

        Raises:
            Fenced: this worker may not produce.
        """
        task = spawn(self._claim(run_id), name="take over")
        self._worker.expect(task)
        done = await asyncio.shield(task)
        if isinstance(done, Fenced):
            raise done
        if isinstance(done, Exception):
            return not self._fails_too_often(run_id, done)
        return done

    def _fails_too_often(self, run_id: UUID, error: Exception) -> bool:
        """Count a failure, unless no beat of ours was written since the one before.

        While storage takes no writes, all takeovers fail, and it is the fault of none of the runs.
        """
        count, counted_at = self._failures.get(run_id, (0, -1.0))
        if not count:
            # Of an error of storage the name is enough; any other is a bug.
            known = isinstance(error, DatabaseError | InterfaceError)
            logger.warning(
                "Run %s was not taken over: %s",
                run_id,
                type(error).__name__,
                exc_info=None if known else error,
            )
        if self._watch.beaten_at != counted_at:
            count += 1
        self._failures[run_id] = count, self._watch.beaten_at
        return count >= _MOST_FAILURES

    async def _claim(self, run_id: UUID) -> bool | Exception:
        worker_id, unsure = self._worker.id, self.unsure.get(run_id)
        self.claiming[run_id] = None
        try:
            claimed = await threads.write(resuming.claim, worker_id, run_id, unsure)
            if claimed is not None and self._worker.id == worker_id and not self._worker.closing:
                self._go_on(claimed)
        except Unsure as error:
            self.unsure[run_id] = error.written
            return error.cause
        except (DatabaseError, InterfaceError) as error:
            return error
        except Unresumable:
            self.unsure.pop(run_id, None)
            return False
        except Exception as error:  # it is the look's, which may have been cancelled
            self.unsure.pop(run_id, None)
            return error
        finally:
            self.claiming.pop(run_id, None)
        self.unsure.pop(run_id, None)
        return True

    def _go_on(self, claimed: Claimed) -> None:
        # Where the source cannot even be made, the row is ours and unheld: it will be reconciled.
        run = runner.start(self._worker, claimed.new, claimed.source())
        self._worker.follower.hand_over(run.run_id)
        metrics.lost_runs.labels("continued").inc()
        logger.warning("Run %s lost its worker and goes on here", run.run_id)
