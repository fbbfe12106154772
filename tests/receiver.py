"""A receiver of webhooks that answers as it is told, also badly."""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any


@dataclass
class Received:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """The server; `async with Receiver() as receiver`."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.status = 200
        self.headers = ""
        self.delay_seconds = 0.0
        self.raw: bytes | None = None
        """Written in place of an answer."""
        self.endless = False
        self.sent_bytes = 0
        self.news = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> "Receiver":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"
        return self

    async def __aexit__(self, *raised: Any) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # lets transports close their sockets

    async def count(self, wanted: int) -> None:
        """Wait until so many requests have come."""
        while len(self.received) < wanted:
            self.news.clear()
            await self.news.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._take(reader, writer)
        finally:
            writer.transport.abort() if self.endless else writer.close()
            self._tasks.discard(task)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.rstrip().split("\r\n")
            pairs = (line.split(": ", 1) for line in lines)
            headers = {name.lower(): value for name, value in pairs}
            body = await reader.readexactly(int(headers["content-length"]))
            self.received.append(Received(first.split()[1], headers, body))
            self.news.set()
            await asyncio.sleep(self.delay_seconds)
            await self._answer(writer)

    async def _answer(self, writer: asyncio.StreamWriter) -> None:
        if self.raw is not None:
            writer.write(self.raw)
        elif self.endless:
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
            while True:
                writer.write(b"x" * 65536)
                self.sent_bytes += 65536
                await writer.drain()
        else:
            head = f"HTTP/1.1 {self.status} X\r\nContent-Length: 2\r\n{self.headers}\r\nok"
            writer.write(head.encode())
        await writer.drain()
