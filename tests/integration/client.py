"""A raw-socket client of the wire: it trusts nothing of ours, and can leave in every way."""

import asyncio
import json
import os
import socket
import ssl
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from tests.integration.ledger import Breach, Json, Ledger
from tests.integration.servers import Server, eventually

RESET_ON_CLOSE = struct.pack("ii", 1, 0)
SMALL_BUFFER_BYTES = 4096


class Refused(Exception):
    """The server closed the connection before a whole answer came, or was not there."""


@dataclass
class Response:
    """An answer, read to its end."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str | None:
        """The `code` of an error body of the contract."""
        try:
            return str(self.json()["error"]["code"])
        except (ValueError, KeyError, TypeError):
            return None


class Connection:
    """One HTTP/1.1 connection for one request, down to its socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.status = 0
        self.headers: dict[str, str] = {}
        self.cookies: dict[str, str] = {}
        self.whole = False
        """Whether the body came to its proper end."""

    @classmethod
    async def open(
        cls, port: int, *, small_buffer: bool = False, trust: ssl.SSLContext | None = None
    ) -> "Connection":
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            if small_buffer:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER_BYTES)
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
            limit = SMALL_BUFFER_BYTES if small_buffer else 2**16
            name = "127.0.0.1" if trust else None
            reader, writer = await asyncio.open_connection(
                sock=sock, limit=limit, ssl=trust, server_hostname=name
            )
        except BaseException:
            sock.close()
            raise
        return cls(reader, writer)

    def send(self, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body or method not in ("GET", "DELETE"):
            lines.append(f"Content-Length: {len(body)}")
        self.writer.write("\r\n".join([*lines, "", ""]).encode() + body)

    async def read_head(self) -> None:
        try:
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except (asyncio.IncompleteReadError, OSError) as error:
            raise Refused("closed before the answer's head") from error
        status_line, *lines = head.rstrip().split("\r\n")
        self.status = int(status_line.split()[1])
        for line in lines:
            name, _, value = line.partition(":")
            if name.lower() == "set-cookie":
                cookie, _, _ = value.strip().partition(";")
                key, _, content = cookie.partition("=")
                self.cookies[key] = content
            else:
                self.headers[name.lower()] = value.strip()

    async def read_some(self) -> bytes:
        """Give the next piece of the body; empty at its end, `whole` says which end."""
        try:
            if self.headers.get("transfer-encoding", "").lower() == "chunked":
                size = int((await self.reader.readuntil(b"\r\n")).split(b";")[0], 16)
                piece = await self.reader.readexactly(size)
                await self.reader.readuntil(b"\r\n")
                self.whole = size == 0
                return piece
            if "content-length" in self.headers:
                left = int(self.headers["content-length"])
                self.whole = True
                self.headers["content-length"] = "0"
                return await self.reader.readexactly(left)
            piece = await self.reader.read(2**16)
            self.whole = not piece and self.status not in (200, 201, 202)
            return piece
        except (asyncio.IncompleteReadError, ConnectionError):
            self.whole = False
            return b""

    def reset(self) -> None:
        """Leave with RST."""
        sock = self.writer.get_extra_info("socket")
        if sock is not None and sock.fileno() >= 0:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self.writer.transport.abort()

    def finish(self) -> None:
        """Leave with FIN, unread data or not."""
        self.writer.close()

    def half_close(self) -> None:
        """Say that nothing more will be sent, and go on reading."""
        self.writer.write_eof()


class Reader:
    """A subscription over SSE: it reads in the background and keeps a ledger."""

    def __init__(self, connection: Connection, run_id: str, start: str) -> None:
        self.connection = connection
        self.ledger = Ledger(run_id, start)
        self.closed = asyncio.Event()
        self.left = ""
        """How this client left; empty while it has not."""
        self.read_whole = False
        self._reading = asyncio.Event()
        self._reading.set()
        self._retry_seen = False
        self._news = asyncio.Event()
        """Set when something has come; a thousand readers that looked now and then took a core."""
        self._task = asyncio.create_task(self._read())
        self._task.add_done_callback(lambda _: self._news.set())

    @property
    def status(self) -> int:
        return self.connection.status

    @property
    def ended(self) -> Json | None:
        return self.ledger.ended

    def fin(self) -> None:
        self._leave("FIN", self.connection.finish)

    def rst(self) -> None:
        self._leave("RST", self.connection.reset)

    def half_close(self) -> None:
        self.left = "half-close"
        self.connection.half_close()

    def stop_reading(self) -> None:
        """Keep the socket and read nothing more."""
        self.left = "stop reading"
        self._reading.clear()

    async def goodbye(self) -> None:
        """Leave politely: HTTP has no other word for it than FIN."""
        self.fin()

    def go_on_reading(self) -> None:
        self._reading.set()

    async def until(self, claim: Callable[[Ledger], object], seconds: float = 20.0) -> None:
        """Wait until the ledger satisfies a claim."""
        try:
            async with asyncio.timeout(seconds):
                while not self._satisfies(claim):
                    await self._news.wait()
                    self._news.clear()
        except TimeoutError:
            raise AssertionError(
                f"after {seconds:.1f} s: reader of {self.ledger.run_id} is at "
                f"{self.ledger.cursor}, closed {self.closed.is_set()}, "
                f"last event {self.ledger.events[-1:]}"
            ) from None

    def _satisfies(self, claim: Callable[[Ledger], object]) -> object:
        if self._task.done() and not self._task.cancelled():
            self._task.result()
        return claim(self.ledger)

    async def until_started(self, seconds: float = 20.0) -> None:
        await self.until(lambda ledger: ledger.events, seconds)

    async def until_received(self, characters: int = 1, seconds: float = 20.0) -> None:
        await self.until(lambda ledger: ledger.received >= characters, seconds)

    async def until_ended(self, seconds: float = 30.0) -> Json:
        await self.until(lambda ledger: ledger.ended, seconds)
        assert self.ended is not None
        return self.ended

    async def until_closed(self, seconds: float = 20.0) -> None:
        async with asyncio.timeout(seconds):
            await self.closed.wait()

    async def discard(self) -> None:
        """Drop the connection, however it stands."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self.connection.reset()

    def _leave(self, how: str, leave: Callable[[], None]) -> None:
        self.left = how
        self._task.cancel()
        leave()
        self.closed.set()

    async def _read(self) -> None:
        pending = b""
        try:
            while piece := await self._next():
                pending += piece.replace(b"\r\n", b"\n")
                *frames, pending = pending.split(b"\n\n")
                for frame in frames:
                    self._record(frame.decode())
                self._news.set()
            self.read_whole = self.connection.whole
        finally:
            if not self.left:
                self.connection.finish()
            self.closed.set()

    async def _next(self) -> bytes:
        await self._reading.wait()
        return await self.connection.read_some()

    def _record(self, frame: str) -> None:
        fields: dict[str, str] = {}
        for line in frame.split("\n"):
            name, _, value = line.partition(":")
            if name:
                fields[name] = value.removeprefix(" ")
        if "retry" in fields:
            self._retry_seen = True
        if "data" not in fields:
            return
        event = json.loads(fields["data"])
        event["_seen"] = time.monotonic()
        if event["type"] != fields.get("event"):
            self._fault(f"event is {fields.get('event')}, type {event['type']}")
        if not self._retry_seen:
            self._fault("the first frame was not retry")
        self.ledger.record(event, fields.get("id"))

    def _fault(self, text: str) -> None:
        self.ledger.faults.append(Breach("wire", text))


class Discardable(Protocol):
    """Something open that must be dropped in the end."""

    async def discard(self) -> None: ...


@dataclass
class Client:
    """One person at one server: cookies, requests, readers."""

    server: Server
    name: str = "Alice"
    cookies: dict[str, str] = field(default_factory=dict)
    readers: list[Reader] = field(default_factory=list)
    sockets: list[Discardable] = field(default_factory=list)

    @classmethod
    async def sign_in(cls, server: Server, name: str = "Alice") -> "Client":
        """Become a guest: the first unsafe request makes the user."""
        client = cls(server, name)
        answer = await client.get("/api/session")
        assert answer.status == 200, answer.body
        assert "csrftoken" in client.cookies, "GET /api/session set no csrftoken"
        return client

    def at(self, server: Server) -> "Client":
        """The same person, at another server of the same database."""
        return Client(server, self.name, self.cookies)

    async def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: dict[str, str] | None = None,
        seconds: float = 20.0,
    ) -> Response:
        """Ask and read the whole answer.

        Raises:
            Refused: no whole answer came.
        """
        async with asyncio.timeout(seconds):
            connection = await self._ask(method, path, body, headers or {})
            try:
                content = b""
                while piece := await connection.read_some():
                    content += piece
                if not connection.whole and connection.status < 300:
                    raise Refused("the answer broke off")
            finally:
                connection.finish()
        return Response(connection.status, connection.headers, content)

    async def get(self, path: str) -> Response:
        return await self.request("GET", path)

    async def post(self, path: str, body: object = None, **options: Any) -> Response:
        return await self.request("POST", path, body, **options)

    async def new_conversation(self, **fields: Any) -> str:
        """Create a conversation that talks to the scripted provider and give its id."""
        answer = await self.post("/api/conversations", {"model": "scripted"} | fields)
        assert answer.status in (200, 201), (answer.status, answer.body)
        return str(answer.json()["id"])

    async def send(
        self,
        conversation: str,
        content: str,
        *,
        small_buffer: bool = False,
        **fields: Any,
    ) -> Reader:
        """Send a message and read its reply.

        Raises:
            Refused: the answer is not a stream; its status and body are the arguments.
        """
        fields = {"id": new_id(), "reply_id": new_id(), "content": content} | fields
        path = f"/api/conversations/{conversation}/messages"
        headers = {"Accept": "text/event-stream"}
        connection = await self._ask("POST", path, fields, headers, small_buffer=small_buffer)
        reader = await self._reader(connection, str(fields["reply_id"]), "0-0")
        location = connection.headers.get("location", "")
        if location != f"/api/runs/{fields['reply_id']}/events":
            reader.ledger.faults.append(Breach("wire", f"Location is {location!r}"))
        return reader

    async def follow(
        self,
        run_id: str,
        after: str = "0-0",
        *,
        small_buffer: bool = False,
        by_header: bool = False,
    ) -> Reader:
        """Subscribe to a run from a cursor."""
        path = f"/api/runs/{run_id}/events"
        headers = {"Accept": "text/event-stream"}
        if by_header:
            headers["Last-Event-ID"] = after
        elif after != "0-0":
            path += f"?after={after}"
        connection = await self._ask("GET", path, None, headers, small_buffer=small_buffer)
        return await self._reader(connection, run_id, after)

    async def stop(self, run_id: str) -> Response:
        return await self.post(f"/api/runs/{run_id}/stop")

    async def messages(self, conversation: str) -> list[Json]:
        answer = await self.get(f"/api/conversations/{conversation}/messages")
        assert answer.status == 200, (answer.status, answer.body)
        return list(answer.json()["messages"])

    async def message(self, conversation: str, message_id: str) -> Json:
        found = [m for m in await self.messages(conversation) if m["id"] == message_id]
        assert len(found) == 1, f"{len(found)} rows of message {message_id}"
        return found[0]

    async def settled(self, conversation: str, run_id: str, seconds: float = 20.0) -> Json:
        """Wait until a reply has its outcome and give it."""
        message: Json = {}

        async def has_outcome() -> bool:
            nonlocal message
            message = await self.message(conversation, run_id)
            return bool(message["status"] != "running")

        await eventually(has_outcome, seconds, f"reply {run_id} is still running")
        return message

    async def discard(self) -> None:
        """Drop every connection that is still open."""
        for opened in (*self.readers, *self.sockets):
            await opened.discard()
        self.readers.clear()
        self.sockets.clear()

    async def _reader(self, connection: Connection, run_id: str, start: str) -> Reader:
        try:
            media = connection.headers.get("content-type", "")
            if connection.status != 200 or not media.startswith("text/event-stream"):
                body = b""
                while piece := await connection.read_some():
                    body += piece
                raise Refused(connection.status, body.decode(errors="replace")[:2000])
        except BaseException:
            connection.finish()
            raise
        reader = Reader(connection, run_id, start)
        self.readers.append(reader)
        return reader

    async def _ask(
        self,
        method: str,
        path: str,
        body: object,
        headers: dict[str, str],
        *,
        small_buffer: bool = False,
    ) -> Connection:
        raw = body if isinstance(body, bytes) else b"" if body is None else encode(body)
        ours = {"Cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items())}
        if raw:
            ours["Content-Type"] = "application/json"
        if method != "GET":
            ours["X-CSRFToken"] = self.cookies.get("csrftoken", "")
            if self.server.trust:
                ours["Origin"] = "https://127.0.0.1"
        try:
            connection = await Connection.open(
                self.server.port, small_buffer=small_buffer, trust=self.server.trust
            )
        except OSError as error:
            raise Refused("nobody listens") from error
        try:
            connection.send(method, path, ours | headers, raw)
            await connection.read_head()
        except BaseException:
            connection.reset()
            raise
        self.cookies.update(connection.cookies)
        return connection


def encode(value: object) -> bytes:
    return json.dumps(value).encode()


def new_id() -> str:
    """A random id of a client's choice."""
    return str(UUID(bytes=os.urandom(16), version=4))


async def metrics(server: Server) -> dict[str, float]:
    """Read /metrics: sums over labels, by name."""
    answer = await Client(server).get("/metrics")
    assert answer.status == 200, (answer.status, answer.body[:300])
    found: dict[str, float] = {}
    for line in answer.body.decode().splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            name = name.partition("{")[0]
            found[name] = found.get(name, 0.0) + float(value)
    return found
