"""Whether this process lives, whether it should get requests, and its figures."""

import asyncio

from channels.layers import get_channel_layer
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.crypto import constant_time_compare
from prometheus_client import CONTENT_TYPE_LATEST

from conversations import conf
from conversations.errors import respond, unlogged
from conversations.exceptions import FiguresRefused
from conversations.limits.addresses import is_loopback, request_scope
from streaming import gauges, threads, workers

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
    # Without it readers of other workers' replies get them later, and no request fails.
    waking = {"by": worker.waking.kind, "proven": worker.waking.proven}
    body = {"ready": ready, "checks": checks, "waking": waking}
    response = JsonResponse(body, status=200 if ready else 503)
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
    """Write figures of this process as Prometheus text, for whoever may read them."""
    if not await _may_read_figures(request):
        return respond(FiguresRefused())
    workers.current()
    return HttpResponse(gauges.text(), content_type=CONTENT_TYPE_LATEST)


async def _may_read_figures(request: HttpRequest) -> bool:
    """Let in who has METRICS_TOKEN, is of the staff, or asks on this machine itself."""
    token, given = conf.metrics_token(), request.headers.get("Authorization", "")
    if token and constant_time_compare(given.encode(), f"Bearer {token}".encode()):
        return True
    if is_loopback(request_scope(request)):
        return True
    user = await request.auser() if hasattr(request, "auser") else None
    return user is not None and user.is_active and user.is_staff
