"""What ends the live runs of this process from outside their sources."""

import time
from collections import ChainMap
from collections.abc import Collection
from typing import TYPE_CHECKING, Any
from uuid import UUID

from streaming import metrics, takeover, threads
from streaming.conf import conf
from streaming.outcome import failed, interrupted
from streaming.runner import LiveRun

if TYPE_CHECKING:
    from streaming.workers import LocalWorker


class Clocks:
    """Progress, deadline, storage, departures and stops of a worker's runs."""

    def __init__(self, worker: "LocalWorker") -> None:
        self._worker = worker

    async def tick(self) -> None:
        """End runs whose time is over; waits for nothing."""
        if self._worker.runs:
            # The journal does so before each commit; where a commit hangs, sources still go on.
            self._worker.journal.pace.turn_if_due()
            self._check_times()

    async def poll_stops(self) -> None:
        """End runs that a person stopped or deleted through another worker."""
        if not self._worker.runs:
            return
        for run_id, discarded in await threads.read(takeover.to_end, self._worker.id):
            run = self._worker.runs.get(run_id)
            if run is not None:
                run.stop("deleted" if discarded else "user")

    @property
    def held(self) -> Collection[UUID]:
        """Our runs, as they are whenever this is looked into; and those that may be ours."""
        worker, orphans = self._worker, self._worker.orphans
        return ChainMap[UUID, Any](worker.runs, worker.opening, orphans.claiming, orphans.unsure)

    async def reconcile(self) -> None:
        """Settle rows of ours that we do not produce: their start was cut half-way."""
        if self._worker.registered.is_set():
            settled = await threads.write(takeover.settle_unheld, self._worker.id, self.held)
            for ended in settled.values():
                metrics.count_end(ended.status, ended.reason)

    def _check_times(self) -> None:
        now = time.monotonic()
        away = self._worker.journal.failing_since
        patience = conf().storage_wait_seconds
        gone = bool(patience) and away is not None and now - away > patience
        for run in list(self._worker.runs.values()):
            if gone:
                run.decide(failed("storage_unavailable"))
            else:
                _check_time(run, now)

    async def check_departures(self) -> None:
        """Interrupt runs under policy `stop` whose last reader, here or elsewhere, is long gone."""
        grace = conf().disconnect_grace_seconds
        now = time.monotonic()
        left = [run for run in self._worker.runs.values() if _is_left(run, now - grace)]
        if not left:
            return
        watched = await threads.read(takeover.watched, [run.run_id for run in left])
        for run in left:
            if run.readers:
                continue  # since we asked
            if run.run_id in watched:
                run.departed_at = now
            else:
                run.decide(interrupted("client_disconnected"))


def _check_time(run: LiveRun, now: float) -> None:
    limits = conf()
    waited = now - run.awaiting_since if run.awaiting_since is not None else 0.0
    if limits.no_progress_seconds and waited > limits.no_progress_seconds:
        run.decide(failed("no_progress"))
    elif limits.deadline_seconds and now - run.started_at > limits.deadline_seconds:
        run.decide(failed("deadline"))


def _is_left(run: LiveRun, before: float) -> bool:
    return (
        run.on_disconnect == "stop"
        and run.outcome is None
        and run.departed_at is not None
        and run.departed_at <= before
    )
