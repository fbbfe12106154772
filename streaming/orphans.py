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
from streaming.resuming import Unresumable
from streaming.statements import Fenced

if TYPE_CHECKING:
    from streaming.workers import LocalWorker

logger = logging.getLogger(__name__)

_LEFT_FOR = 1 / 3
"""For what part of a lease a run is left to other workers while this one is full."""


class Orphans:
    """Deals with the runs of lost workers, one look at a time."""

    def __init__(self, worker: "LocalWorker") -> None:
        self._worker = worker
        self._task: asyncio.Task[None] | None = None
        self._left_since: dict[UUID, float] = {}
        """Since when we have no room for a run that could go on."""

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
        found = await threads.read(resuming.resumable)
        self._left_since = {
            run_id: since for run_id, since in self._left_since.items() if run_id in found
        }
        given_up = []
        for run_id in found:
            if self._worker.draining or not self._worker.registered.is_set():
                break
            if self._has_room():
                if not await self._take_over(run_id):
                    given_up.append(run_id)
            elif self._is_left_too_long(run_id):
                given_up.append(run_id)
        return given_up

    def _has_room(self) -> bool:
        most = conf().runs_per_worker
        return not most or len(self._worker.runs) < most

    def _is_left_too_long(self, run_id: UUID) -> bool:
        now = time.monotonic()
        return now - self._left_since.setdefault(run_id, now) >= conf().lease_seconds * _LEFT_FOR

    async def _take_over(self, run_id: UUID) -> bool:
        """Go on with a run; False where it cannot go on anywhere.

        Cancellation: once its row is ours, it has its producer all the same.
        """
        task = spawn(self._claim(run_id), name="take over")
        self._worker.expect(task)
        done = await asyncio.shield(task)
        if isinstance(done, Exception):
            raise done
        return done

    async def _claim(self, run_id: UUID) -> bool | Exception:
        worker_id = self._worker.id
        try:
            claimed = await threads.write(resuming.claim, worker_id, run_id)
        except Unresumable:
            return False
        except Exception as error:  # it is the look's, which may have been cancelled
            return error
        if claimed is not None and self._worker.id == worker_id:
            runner.start(self._worker, claimed.new, claimed.source())
            self._worker.follower.hand_over(run_id)
            metrics.lost_runs.labels("continued").inc()
            logger.warning("Run %s lost its worker and goes on here", run_id)
        return True
