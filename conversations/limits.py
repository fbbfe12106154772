"""The limit on request bodies, before Django sees them."""

from typing import Any

import msgspec

from conversations import conf
from conversations.exceptions import TooLarge

_SKIPPED_BYTES = 64 * 1024 * 1024  # read and thrown away, so that the client reads our answer


class BodyLimit:
    """ASGI wrapper: answers 413 for a body over `BODY_BYTES`."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve, or refuse."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
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

    async def _refuse(self, receive: Any, send: Any, size: int, *, more: bool) -> None:
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
