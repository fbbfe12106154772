"""Routes of WebSockets, behind the check of their origin."""

from typing import Any

from channels.routing import URLRouter
from django.urls import path

from conversations.accounts.identity import is_same_origin
from conversations.consumers import ChatConsumer, key_of_scope

BAD_ORIGIN = 4403


class SameOrigin:
    """Refuses sockets that another site opened, before they are accepted.

    A browser sends no API key with a handshake, so who brings one is no page of another site.
    """

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve, or refuse."""
        headers = dict(scope["headers"])
        origin = headers.get(b"origin", b"").decode("latin1")
        host = headers.get(b"host", b"").decode("latin1")
        if key_of_scope(scope) is not None or is_same_origin(origin, host):
            await self._app(scope, receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": BAD_ORIGIN})


async def _not_found(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.close"})


chat: Any = SameOrigin(ChatConsumer.as_asgi())
"""The chat's socket; a project gives it a path among its own."""

websocket = URLRouter(
    [
        path("ws/chat/", chat),
        path("<path:rest>", _not_found),  # type: ignore[arg-type]  # an ASGI application
    ]
)
