"""Samples of machine and process: taken while somebody watches, kept for ten minutes."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection, connections

from streaming import metrics, workers
from streaming.conf import conf
from streaming.detached import spawn
from streaming.responses import open_streams
from streaming.responses.slots import every
from streaming.sse import ServerEvent

if TYPE_CHECKING:
    from conversations.console.sampling import Sampler

SAMPLE_SECONDS = 2.0
KEPT_SECONDS = 600
_LAG_SECONDS = 0.1


class Monitor:
    """Takes one sample for all who watch; psutil blocks, so it has a thread."""

    def __init__(self) -> None:
        self._samples: deque[dict[str, Any]] = deque(maxlen=int(KEPT_SECONDS / SAMPLE_SECONDS))
        self._sampler: Sampler | None = None
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._lag = 0.0
        self._commits = (0.0, 0.0)
        self.watchers = 0

    async def read(self) -> AsyncGenerator[ServerEvent]:
        """Give what is kept, then each sample as it is taken."""
        self.watchers += 1
        try:
            if self._task is None or self._task.done():
                self._task = spawn(self._sample_while_watched(), name="console monitor")
            oldest = time.time() - KEPT_SECONDS
            history = [{**one, "processes_top": []} for one in self._samples if one["at"] > oldest]
            yield ServerEvent(event="history", data=history)
            while True:
                news = self._news
                await news.wait()
                yield ServerEvent(event="sample", data=self._samples[-1])
        finally:
            self.watchers -= 1

    async def _sample_while_watched(self) -> None:
        lag = asyncio.create_task(self._measure_lag())
        try:
            if self._sampler is None:
                self._sampler = await asyncio.to_thread(_make_sampler)
            while self.watchers:
                machine = await asyncio.to_thread(self._sampler.sample)
                top = await asyncio.to_thread(self._sampler.processes)
                self._samples.append(
                    {"at": time.time(), **machine, **self._own(), "processes_top": top}
                )
                news, self._news = self._news, asyncio.Event()
                news.set()
                await asyncio.sleep(SAMPLE_SECONDS)
        finally:
            lag.cancel()

    async def _measure_lag(self) -> None:
        """Note the worst lateness of the event loop since the last sample."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + _LAG_SECONDS
            await asyncio.sleep(_LAG_SECONDS)
            self._lag = max(self._lag, loop.time() - due)

    def _own(self) -> dict[str, Any]:
        worker = workers.current()
        before, self._commits = self._commits, (_total(metrics.commits), _sum_of_commits())
        commits, seconds = (now - was for now, was in zip(self._commits, before, strict=True))
        failing = worker.journal.failing_since
        lag, self._lag = self._lag, 0.0
        return {
            "lag_ms": round(lag * 1000, 1),
            "threads": threading.active_count(),
            "tasks": len(asyncio.all_tasks()),
            "runs": len(worker.runs),
            "runs_followed": len(worker.follower),
            "readers": worker.reader_count,
            "commits": commits / SAMPLE_SECONDS,
            "commit_ms": round(seconds / commits * 1000, 2) if commits else 0.0,
            "journal_failing": 0 if failing is None else round(time.monotonic() - failing, 1),
            "draining": int(worker.draining),
            "streams": {"sockets": len(worker.sockets), **open_streams()},
            "limits": _limits(worker),
            **_pool(),
        }


def _make_sampler() -> "Sampler":
    """Make it in a thread: the import reads files, and few processes ever need it."""
    from conversations.console.sampling import Sampler

    return Sampler(str(settings.BASE_DIR))


def _total(metric: Any) -> float:
    return float(next(iter(metric.collect())).samples[0].value)


def _sum_of_commits() -> float:
    found = next(iter(metrics.commit_seconds.collect())).samples
    return next(float(one.value) for one in found if one.name.endswith("_sum"))


def _limits(worker: workers.LocalWorker) -> list[dict[str, Any]]:
    """List what is bounded in this process: how much is taken, of how much (0: of any)."""
    own = [
        {"name": "RUNS_PER_WORKER", "taken": len(worker.runs), "most": conf().runs_per_worker},
        {
            "name": "CONNECTIONS_PER_WORKER",
            "taken": worker.connections.total,
            "most": conf().connections_per_worker,
        },
    ]
    slots = [
        {"name": one.name, "taken": one.taken, "most": one.most, "refused": one.refused}
        for one in every()
    ]
    return own + slots


def _pool() -> dict[str, float]:
    database: Any = connections["default"]
    if connection.vendor != "postgresql" or getattr(database, "pool", None) is None:
        return {}
    stats = database.pool.get_stats()
    size = stats.get("pool_size", 0)
    return {
        "pool_size": size,
        "pool_taken": size - stats.get("pool_available", 0),
        "pool_waiting": stats.get("requests_waiting", 0),
    }


_monitor: Monitor | None = None


def monitor() -> Monitor:
    """Return this process's; on its event loop."""
    global _monitor
    if _monitor is None:
        _monitor = Monitor()
    return _monitor
