"""How many there are of what lives in this process, read at the moment that somebody asks."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any, get_args

from django.db import connections
from prometheus_client import ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from streaming import metrics, workers
from streaming.responses import slots
from streaming.subscription import Transport


class Gauges(Collector):
    """Reads the worker of this process; on its event loop only."""

    def collect(self) -> Iterator[Metric]:
        """Give the gauges; none where there is no worker yet."""
        worker = workers.peek()
        if worker is None:
            return
        yield _gauge("runs_live", "Runs that this process produces.", len(worker.runs))
        followed = len(worker.follower)
        yield _gauge("runs_followed", "Runs of other workers that are read here.", followed)
        readers = Counter(one.transport for one in worker.subscriptions)
        family = GaugeMetricFamily(
            "holdfast_readers", "Open subscriptions, by transport.", labels=["transport"]
        )
        for transport in get_args(Transport):
            family.add_metric([transport], readers.pop(transport, 0))
        family.add_metric(["none"], readers.total())
        yield family
        yield _gauge("sockets", "Open WebSockets.", len(worker.sockets))
        total = worker.connections.total
        yield _gauge("connections", "Streams and sockets that hold a place.", total)
        taken = GaugeMetricFamily(
            "holdfast_slots", "Open streams of a bounded kind, by its name.", labels=["kind"]
        )
        held: Counter[str] = Counter()
        for kind in slots.every():
            held[kind.name] += kind.taken
        for name, count in held.items():
            taken.add_metric([name], count)
        yield taken
        yield _gauge("asyncio_tasks", "Tasks of the event loop.", len(asyncio.all_tasks()))
        yield _gauge("threads", "Threads of this process.", threading.active_count())
        yield _gauge("draining", "1 while no start is taken any more.", int(worker.draining))
        failing = worker.journal.failing_since is not None
        yield _gauge("journal_failing", "1 while no commit succeeds.", int(failing))
        waking = GaugeMetricFamily(
            "holdfast_waking_proven",
            "1 while what this worker says to others arrives; polling needs no proof.",
            labels=["by"],
        )
        waking.add_metric([worker.waking.kind], int(worker.waking.proven))
        yield waking
        yield from _pool()

    def describe(self) -> list[Metric]:
        """Spare the registry a look at a worker that is not there yet."""
        return []


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(f"holdfast_{name}", meaning, value=value)


def _pool() -> Iterator[Metric]:
    database: Any = connections["default"]
    if database.vendor != "postgresql" or database.pool is None:
        return
    stats = database.pool.get_stats()
    for name, key, meaning in (
        ("db_pool_size", "pool_size", "Connections of the pool."),
        ("db_pool_available", "pool_available", "Connections of the pool that nobody has."),
        ("db_pool_waiting", "requests_waiting", "Requests that wait for a connection."),
    ):
        yield _gauge(name, meaning, stats.get(key, 0))


metrics.registry.register(Gauges())
ProcessCollector(registry=metrics.registry)


def text() -> bytes:
    """Write all figures of this process as Prometheus reads them."""
    return generate_latest(metrics.registry)
