"""Traces for OpenTelemetry and errors for Sentry: only where wanted, and their packages are there.

`requirements-observability.txt` has the packages; `OTEL_EXPORTER_OTLP_ENDPOINT` and `SENTRY_DSN`
say where to.
"""

import asyncio
import logging
import threading
from collections.abc import Iterable
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register

from chatproject.logs import plain, without_secrets
from streaming import facts, tracing
from streaming.access import safe_path

_LAST_SECONDS = 2.0  # for what is still to be sent at the end
_provider: Any = None


def begin() -> None:
    """Begin what the settings ask for."""
    if settings.OTEL_EXPORTER_OTLP_ENDPOINT and find_spec("opentelemetry"):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        trace(BatchSpanProcessor(OTLPSpanExporter()))
    if settings.SENTRY_DSN and find_spec("sentry_sdk"):
        report_errors(settings.SENTRY_DSN)


async def close() -> None:
    """Send what is still here, without holding up the event loop."""
    global _provider
    provider, _provider = _provider, None
    tracing.install(None)
    if provider is not None:
        # Not in an executor, whose threads the end of the process waits for: a collector that is
        # away is tried for longer than anybody's patience.
        sending = threading.Thread(target=provider.shutdown, daemon=True, name="last spans")
        sending.start()
        await asyncio.to_thread(sending.join, _LAST_SECONDS)
    if settings.SENTRY_DSN and find_spec("sentry_sdk"):
        import sentry_sdk

        await asyncio.to_thread(sentry_sdk.flush, _LAST_SECONDS)


def trace(*processors: Any) -> None:
    """Trace into these processors; the endpoint's other settings are OpenTelemetry's own."""
    global _provider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    named = {"service.name": "holdfast", "service.version": settings.PRODUCT_VERSION}
    _provider = TracerProvider(resource=Resource.create(named), shutdown_on_exit=False)
    for processor in processors:
        _provider.add_span_processor(processor)
    tracing.install(_provider.get_tracer("holdfast", settings.PRODUCT_VERSION))


def report_errors(dsn: str, **options: Any) -> None:
    """Report what is logged as an error, with its place, and nothing of what was said.

    Without Sentry's own integrations, which collect requests, queries and local variables; what is
    personal is left out by default (`send_default_pii`), and by `scrubbed`.
    """
    import sentry_sdk
    from sentry_sdk.integrations.logging import LoggingIntegration

    sentry_sdk.init(
        dsn=dsn,
        release=f"{settings.PRODUCT_NAME}@{settings.PRODUCT_VERSION}",
        environment="development" if settings.DEBUG else "production",
        max_request_body_size="never",
        include_local_variables=False,
        max_breadcrumbs=0,
        default_integrations=False,
        integrations=[LoggingIntegration(level=None, event_level=logging.ERROR)],
        before_send=scrubbed,
        **options,
    )


def scrubbed(event: Any, hint: Any) -> Any:
    """Leave of an event its place, its kind and its first line, without secrets."""
    for name in ("request", "user", "breadcrumbs", "extra", "server_name", "modules"):
        event.pop(name, None)
    event["tags"] = {name: _text(value) for name, value in facts.known().items()}
    said = event.get("logentry") or {}
    event["logentry"] = {"message": _text(said.get("formatted") or said.get("message") or "")}
    for raised in (event.get("exception") or {}).get("values", ()):
        raised["value"] = _text(raised.get("value") or "")
        for frame in _frames(raised):
            frame.pop("vars", None)
    return event


def _frames(raised: Any) -> Iterable[Any]:
    found: Iterable[Any] = (raised.get("stacktrace") or {}).get("frames", ())
    return found


def _text(value: Any) -> str:
    words = str(value).partition("\n")[0][:300].split(" ")
    return plain(without_secrets(" ".join(safe_path(one) if "/" in one else one for one in words)))


@register(Tags.compatibility)
def check_packages(**kwargs: Any) -> list[CheckMessage]:
    """Warn where something is wanted and its packages are not there."""
    wanted = (
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "opentelemetry", "W001"),
        ("SENTRY_DSN", "sentry_sdk", "W002"),
    )
    return [
        Warning(
            f"{name} is set, and {package} is not installed.",
            hint="pip install --require-hashes -r requirements-observability.txt",
            id=f"chatproject.{number}",
        )
        for name, package, number in wanted
        if getattr(settings, name, "") and not find_spec(package)
    ]
