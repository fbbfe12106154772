"""One line of the log for each request and socket, at its end; an id that ties lines together."""

import logging
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

from streaming import facts, metrics, tracing

logger = logging.getLogger(__name__)

_SANE = re.compile(r"[A-Za-z0-9._-]{8,64}\Z")
_TOKEN_CHARACTERS = 24
_QUIET = ("/healthz", "/readyz", "/metrics")
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_CLIENT_GONE = 499

Send = Callable[[Any], Awaitable[None]]


class AccessLog:
    """ASGI wrapper: names each request by an id, and logs it when it is over.

    A client may bring the id, as `X-Request-ID`; it gets it back either way.

    Args:
        quiet: beginnings of paths that are logged for DEBUG only.
    """

    def __init__(self, app: Any, *, quiet: tuple[str, ...] = ()) -> None:
        self._app = app
        self._quiet = (*_QUIET, *quiet)

    async def __call__(self, scope: Any, receive: Any, send: Send) -> None:
        """Serve, then log."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, send)
        try:
            with tracing.span("request", **exchange.named()) as opened:
                try:
                    await self._app(scope, receive, exchange.send)
                finally:
                    tracing.add(opened, status=exchange.status, **exchange.facts)
        except Exception:  # whatever it was, the request is noted, and it goes on up
            exchange.status = exchange.status or 500
            raise
        finally:
            exchange.log(quietly=scope["path"].startswith(self._quiet))


class _Exchange:
    """One request with its answer, or one socket."""

    def __init__(self, scope: Any, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._begun = time.monotonic()
        self.facts = facts.begin(request_id=_request_id(scope))
        self._is_stream = False
        self.status = 0

    def send(self, message: Any) -> Awaitable[None]:
        """Pass on; what a stream's pieces cost here is one comparison."""
        kind = message["type"]
        if kind == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            self._is_stream = any(
                name.lower() == b"content-type" and value.startswith(b"text/event-stream")
                for name, value in headers
            )
            identity = (b"x-request-id", self.facts["request_id"].encode())
            message = {**message, "headers": [*headers, identity]}
        elif kind == "websocket.close" and not self.status:
            self.status = message.get("code", 1000)
        return self._send(message)

    def named(self) -> dict[str, str]:
        """Return what a span begins with."""
        return {"path": safe_path(self._scope["path"]), "method": self._scope.get("method", "")}

    def log(self, *, quietly: bool) -> None:
        took = time.monotonic() - self._begun
        known = {**self.facts, "duration_ms": round(took * 1000, 1)}
        path = safe_path(self._scope["path"])
        if self._scope["type"] == "websocket":
            code = {"code": self.status} if self.status else {}
            logger.info("WebSocket %s closed", path, extra={"facts": known | code})
            return
        status = self.status or _CLIENT_GONE
        method = self._scope["method"] if self._scope["method"] in _METHODS else "other"
        metrics.http_requests.labels(method, str(status)).inc()
        if self._is_stream:
            known["streamed"] = True
        elif self.status:
            metrics.http_seconds.observe(took)
        level = logging.DEBUG if quietly and status < 400 else logging.INFO
        logger.log(level, "%s %s %d", method, path, status, extra={"facts": known})


def safe_path(path: str) -> str:
    """Return a path without what in it might let somebody in: links carry their secrets there."""
    return "/".join(_safe(step) for step in path.split("/"))


def _safe(step: str) -> str:
    if len(step) < _TOKEN_CHARACTERS:
        return step
    try:
        is_id = str(UUID(step)) == step
    except ValueError:
        is_id = False
    return step if is_id else f"{step[:4]}…"


def _request_id(scope: Any) -> str:
    for name, value in scope.get("headers", ()):
        if name == b"x-request-id":
            given = value.decode("latin1")
            if _SANE.match(given):
                return str(given)
    return uuid4().hex
