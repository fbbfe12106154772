"""Whether this process lives, whether it should get requests, and its figures."""

import asyncio
import threading
from typing import Any

from channels.layers import get_channel_layer
from django.db import DatabaseError, InterfaceError, connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse

from conversations import conf
from conversations.errors import unlogged
from streaming import threads, workers

_READY_SECONDS = 3.0


async def healthz(request: HttpRequest) -> HttpResponse:
    """Answer without any I/O."""
    return JsonResponse(
        {"status": "ok", "name": conf.product_name(), "version": conf.product_version()}
    )


async def readyz(request: HttpRequest) -> HttpResponse:
    """Answer 200 when every part works, else 503 and which does not."""
    worker = workers.current()
    try:
        async with asyncio.timeout(_READY_SECONDS):
            database = await threads.read(_database)
    except (DatabaseError, InterfaceError, TimeoutError):
        database = {"database": False}
    checks: dict[str, bool] = {
        **database,
        "journal": worker.registered.is_set() and worker.journal.failing_since is None,
        "channel_layer": get_channel_layer() is not None,
        "not_draining": not worker.draining,
    }
    ready = all(checks.values())
    response = JsonResponse({"ready": ready, "checks": checks}, status=200 if ready else 503)
    if not ready:
        response["Retry-After"] = "2"
    return unlogged(response)


def _database() -> dict[str, bool]:
    executor = MigrationExecutor(connection)
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    found = {"database": True, "migrations": not pending}
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # synchronous_commit is a matter of each connection, and of the project's settings.
            cursor.execute("SELECT current_setting('fsync')")
            found["durable"] = cursor.fetchone()[0] == "on"
    return found


async def metrics(request: HttpRequest) -> HttpResponse:
    """Write figures of this process as Prometheus text."""
    worker = workers.current()
    figures: dict[str, float] = {
        "holdfast_runs_live": len(worker.runs),
        "holdfast_runs_followed": len(worker.follower),
        "holdfast_readers": worker.reader_count,
        "holdfast_asyncio_tasks": len(asyncio.all_tasks()),
        "holdfast_threads": threading.active_count(),
        "holdfast_journal_commits_total": worker.journal.commits,
        "holdfast_journal_commit_seconds_total": worker.journal.commit_seconds,
        "holdfast_draining": int(worker.draining),
        **_pool(),
    }
    lines = [f"{name} {value}" for name, value in figures.items()]
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; version=0.0.4")


def _pool() -> dict[str, float]:
    database: Any = connections["default"]
    if connection.vendor != "postgresql" or database.pool is None:
        return {}
    stats = database.pool.get_stats()
    return {
        "holdfast_db_pool_size": stats.get("pool_size", 0),
        "holdfast_db_pool_available": stats.get("pool_available", 0),
    }
