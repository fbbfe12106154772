"""A WebSocket client of the wire that keeps one ledger per followed run."""

import asyncio
import contextlib
import json
import socket as sockets
from typing import TYPE_CHECKING, Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from tests.integration.client import RESET_ON_CLOSE, SMALL_BUFFER_BYTES, Client, Refused
from tests.integration.ledger import Breach, Json, Ledger
from tests.integration.servers import eventually

if TYPE_CHECKING:
    from tests.integration.socket_reader import SocketReader

RUN_EVENTS = {"started", "delta", "ping", "ended"}


class Socket:
    """One open WebSocket; reads in the background."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.messages: list[Json] = []
        """Everything the server said, in order."""
        self.ledgers: dict[str, Ledger] = {}
        self.errors: dict[str, Json] = {}
        """Errors of the server by the `ref` that they answer; one without it is under ``""``."""
        self.readers: list[SocketReader] = []
        self.closed = asyncio.Event()
        self.left = ""
        """How this client left; empty while it has not."""
        self._expected: dict[str, Ledger] = {}
        self._reading = asyncio.Event()
        self._reading.set()
        self._closing: asyncio.Task[None] | None = None
        self._task = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, client: Client, *, small_buffer: bool = False, **headers: str) -> "Socket":
        """Open the socket as a browser of this person would."""
        cookie = "; ".join(f"{key}={value}" for key, value in client.cookies.items())
        sent = {"Cookie": cookie, "Origin": client.server.url} | headers
        connection = await connect(
            client.server.url.replace("http", "ws", 1) + "/ws/chat/",
            ssl=client.server.trust,
            additional_headers={name: value for name, value in sent.items() if value},
            sock=await _connected(client.server.port, small_buffer=small_buffer),
            max_size=2**24,
            max_queue=2 if small_buffer else 16,
            compression=None,
            proxy=None,
            ping_interval=None,
            close_timeout=1,
        )
        found = cls(connection)
        client.sockets.append(found)
        return found

    @classmethod
    async def try_to_open(cls, client: Client, *, small_buffer: bool = False) -> "Socket":
        """Open the socket at a server that may be away, or about to be.

        Raises:
            Refused: with the status where one was answered.
        """
        try:
            return await cls.open(client, small_buffer=small_buffer)
        except InvalidStatus as error:
            status = error.response.status_code
            # uvicorn answers 500 to a handshake that SIGTERM overtakes; pages see no status at all.
            raise Refused(503 if status == 500 else status, "no WebSocket") from error
        except (InvalidHandshake, ConnectionClosed, EOFError, OSError) as error:
            raise Refused("the handshake broke off") from error

    @property
    def close_code(self) -> int | None:
        return self.connection.close_code

    def received(self, run_id: str) -> int:
        """Code points received of a run."""
        return self.ledgers[run_id].received if run_id in self.ledgers else 0

    async def say(self, **message: Any) -> None:
        await self.connection.send(json.dumps(message))

    async def try_to_say(self, **message: Any) -> None:
        """Say something that is lost where the socket is closed."""
        with contextlib.suppress(ConnectionClosed):
            await self.say(**message)

    async def say_raw(self, message: str | bytes) -> None:
        await self.connection.send(message)

    async def follow(self, run_id: str, after: str = "0-0") -> Ledger:
        """Follow a run; a followed one starts again at `after`."""
        ledger = self.expect(run_id, after)
        await self.say(type="follow", run_id=run_id, after=after)
        return ledger

    def expect(self, run_id: str, after: str) -> Ledger:
        """Make the ledger that begins with the next `started` of a run.

        What is still under way from a subscription before it belongs to the ledger before it.
        """
        self._expected[run_id] = Ledger(run_id, after)
        return self._expected[run_id]

    async def heard(self, seconds: float = 10.0, **wanted: Any) -> Json:
        """Wait for a message with these fields and give the first one."""
        found: list[Json] = []

        def is_there() -> bool:
            found[:] = [m for m in self.messages if all(m.get(k) == v for k, v in wanted.items())]
            return bool(found)

        await eventually(is_there, seconds, lambda: f"not heard: {wanted}; {self.messages[-5:]}")
        return found[0]

    async def ended(self, run_id: str, seconds: float = 20.0) -> Json:
        return await self.heard(seconds, type="ended", run_id=run_id)

    async def until_closed(self, seconds: float = 10.0) -> int:
        """Wait for the server to close and give its close code."""
        async with asyncio.timeout(seconds):
            await self.connection.wait_closed()
        assert self.connection.close_code is not None
        return self.connection.close_code

    def fin(self) -> None:
        """Leave with FIN, without a closing handshake."""
        self._leave("FIN")
        self.connection.transport.close()

    def rst(self) -> None:
        """Leave with RST."""
        self._leave("RST")
        sock = self.connection.transport.get_extra_info("socket")
        if sock is not None and sock.fileno() >= 0:
            sock.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, RESET_ON_CLOSE)
        self.connection.transport.abort()

    def half_close(self) -> None:
        """Say with FIN that nothing more will be sent, and go on reading."""
        self.left = "half-close"
        if not self.connection.transport.is_closing():
            self.connection.transport.write_eof()

    def stop_reading(self) -> None:
        """Keep the socket and read nothing more."""
        self.left = "stop reading"
        self._reading.clear()

    def say_goodbye(self) -> None:
        """Leave with a close frame; the closing handshake goes on in the background."""
        self._leave("close frame")
        self._closing = asyncio.create_task(self.connection.close())

    async def discard(self) -> None:
        """Drop the socket without a closing handshake."""
        tasks = [task for task in (self._task, self._closing) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.connection.transport.abort()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                await self.connection.wait_closed()

    def _leave(self, how: str) -> None:
        self.left = how
        self._task.cancel()
        self.closed.set()

    async def _read(self) -> None:
        try:
            with contextlib.suppress(ConnectionClosed):
                while True:
                    await self._reading.wait()
                    self._take(json.loads(await self.connection.recv()))
        finally:
            self.closed.set()

    def _take(self, message: Json) -> None:
        self.messages.append(message)
        if message["type"] in RUN_EVENTS:
            self._record(message)
        elif message["type"] == "error":
            self.errors[message.get("ref") or ""] = message

    def _record(self, event: Json) -> None:
        run_id = event["run_id"]
        if event["type"] == "started" and run_id in self._expected:
            self.ledgers[run_id] = self._expected.pop(run_id)
        ledger = self.ledgers.setdefault(run_id, Ledger(run_id))
        ledger.record(event)
        if event["type"] != "started" and event["cursor"] != ledger.cursor:
            said = f"{event['type']} says {event['cursor']}, is at {ledger.cursor}"
            ledger.faults.append(Breach("wire", said))


async def _connected(port: int, *, small_buffer: bool) -> sockets.socket:
    sock = sockets.socket(sockets.AF_INET, sockets.SOCK_STREAM)
    try:
        if small_buffer:
            sock.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, SMALL_BUFFER_BYTES)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    except BaseException:
        sock.close()
        raise
    return sock
