"""The limits on request bodies, before Django sees them."""

from typing import Any

import msgspec
from django.urls import Resolver404, resolve

from conversations import conf
from conversations.exceptions import TooLarge
from streaming import metrics

_SKIPPED_BYTES = 64 * 1024 * 1024  # read and thrown away, so that the client reads our answer
_FORM_BYTES = 64 * 1024  # what a form has around its file
_UPLOADS = {
    "holdfast:api:upload_attachment": conf.attachment_bytes,
    "holdfast:api:import_conversations": conf.import_bytes,
}
_PATHS = ("/attachments", "/import")


class BodyLimit:
    """ASGI wrapper: answers 413 for a body over `BODY_BYTES`.

    What brings a file has a limit of its own: `ATTACHMENT_BYTES`, `IMPORT_BYTES`.
    """

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve, or refuse."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = _upload_bytes(scope)
        if most is not None:
            await self._pass(scope, receive, send, most)
            return
        taken: list[Any] = []
        size = 0
        while True:
            message = await receive()
            taken.append(message)
            size += len(message.get("body", b""))
            if size > conf.body_bytes():
                await self._refuse(receive, send, size, more=message.get("more_body", False))
                return
            if message["type"] != "http.request" or not message.get("more_body", False):
                break
        taken.reverse()

        async def replay() -> Any:
            return taken.pop() if taken else await receive()

        await self._app(scope, replay, send)

    async def _pass(self, scope: Any, receive: Any, send: Any, most: int) -> None:
        """Serve an upload, which goes on to Django's file on disk as it comes, or refuse it."""
        size = 0
        more = True

        async def count() -> Any:
            nonlocal size, more
            message = await receive()
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
            # Django throws away what it has when the client is gone, and answers nothing.
            return {"type": "http.disconnect"} if size > most else message

        await self._app(scope, count, send)
        if size > most:
            await self._refuse(receive, send, size, more=more)

    async def _refuse(self, receive: Any, send: Any, size: int, *, more: bool) -> None:
        metrics.limits_hit.labels("body_bytes").inc()
        while more and size < _SKIPPED_BYTES:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
        body = msgspec.json.encode(TooLarge().body())
        headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 413, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _upload_bytes(scope: Any) -> int | None:
    """Return the limit of a request that brings a file; None for any other."""
    path = str(scope["path"])
    if not path.endswith(_PATHS):
        return None
    try:
        found = resolve(path.removeprefix(scope.get("root_path", "")))
    except Resolver404:
        return None
    limit = _UPLOADS.get(found.view_name)
    return None if limit is None else limit() + _FORM_BYTES
