"""Requests to an ASGI application in this process."""

import asyncio
from typing import Any


class Request:
    """One HTTP request; its client reads everything, until it leaves."""

    def __init__(self, application: Any, path: str, *, method: str = "GET") -> None:
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.body = b""
        self.complete = False
        self.refuses = False
        """Whether sending raises, as it does on a connection that is reset."""
        self._left = asyncio.Event()
        self._asked = False
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"localhost")],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        self.task = asyncio.ensure_future(application(scope, self._receive, self._send))

    def leave(self) -> None:
        """Disconnect, as the server reports it."""
        self._left.set()

    async def over(self, *, seconds: float = 5.0) -> None:
        async with asyncio.timeout(seconds):
            await self.task

    async def _receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        if self.refuses:
            raise OSError("reset")
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {k.decode(): v.decode() for k, v in message["headers"]}
        else:
            self.body += message.get("body", b"")
            self.complete = not message.get("more_body", False)
