"""A WebSocket client of the wire that keeps one ledger per followed run."""

import asyncio
import contextlib
import json
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.integration.client import Client
from tests.integration.ledger import Json, Ledger
from tests.integration.servers import eventually

RUN_EVENTS = {"started", "delta", "ping", "ended"}


class Socket:
    """One open WebSocket; reads in the background."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.messages: list[Json] = []
        """Everything the server said, in order."""
        self.ledgers: dict[str, Ledger] = {}
        self.expected_start: dict[str, str] = {}
        self._task = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, client: Client, **headers: str) -> "Socket":
        """Open the socket as a browser of this person would."""
        cookie = "; ".join(f"{key}={value}" for key, value in client.cookies.items())
        sent = {"Cookie": cookie, "Origin": client.server.url} | headers
        connection = await connect(
            f"ws://127.0.0.1:{client.server.port}/ws/chat/",
            additional_headers={name: value for name, value in sent.items() if value},
            max_size=2**24,
            compression=None,
            proxy=None,
        )
        found = cls(connection)
        client.sockets.append(found)
        return found

    @property
    def close_code(self) -> int | None:
        return self.connection.close_code

    def received(self, run_id: str) -> int:
        """Code points received of a run."""
        return self.ledgers[run_id].received if run_id in self.ledgers else 0

    async def say(self, **message: Any) -> None:
        await self.connection.send(json.dumps(message))

    async def say_raw(self, message: str | bytes) -> None:
        await self.connection.send(message)

    async def follow(self, run_id: str, after: str = "0-0") -> Ledger:
        """Follow a run; a followed one starts again at `after`."""
        self.ledgers[run_id] = Ledger(run_id, after)
        await self.say(type="follow", run_id=run_id, after=after)
        return self.ledgers[run_id]

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

    async def discard(self) -> None:
        """Drop the socket without a closing handshake."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self.connection.transport.abort()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                await self.connection.wait_closed()

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for text in self.connection:
                message: Json = json.loads(text)
                self.messages.append(message)
                if message["type"] in RUN_EVENTS:
                    self._record(message)

    def _record(self, event: Json) -> None:
        ledger = self.ledgers.setdefault(event["run_id"], Ledger(event["run_id"]))
        ledger.record(event)
        if event["type"] != "started" and event["cursor"] != ledger.cursor:
            ledger.faults.append(f"{event['type']} says {event['cursor']}, is at {ledger.cursor}")
