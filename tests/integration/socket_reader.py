"""A subscription over a WebSocket: one run on one socket, with every way to leave it."""

import asyncio
from typing import Any

from tests.integration.client import Client, Refused, new_id
from tests.integration.ledger import Json, Ledger
from tests.integration.socket_client import Socket

RETRIED = ("draining", "storage_unavailable")
"""Errors after which a client asks again."""

RESTARTING_DAPHNE = 4012
"""Close code after which a client comes back; uvicorn's own, 1012, is no application's."""


class SocketReader:
    """Reads one run; its socket may carry others. The same acts as those of an SSE reader."""

    def __init__(self, socket: Socket, ledger: Ledger) -> None:
        self.socket = socket
        self.ledger = ledger
        self._left = ""
        for reader in socket.readers:
            if reader.ledger.run_id == ledger.run_id and not reader._left:
                reader._left = "unfollow"
        socket.readers.append(self)

    @classmethod
    async def send(
        cls,
        client: Client,
        conversation: str,
        content: str,
        *,
        small_buffer: bool = False,
        shares: bool = False,
        **fields: Any,
    ) -> "SocketReader":
        """Send a message over a socket and read its reply.

        Args:
            shares: use a socket that the person has open, if there is one.

        Raises:
            Refused: the socket or the start was refused, or the socket closed meanwhile.
        """
        socket = await _socket(client, shares=shares, small_buffer=small_buffer)
        said = {"conversation_id": conversation, "content": content} | fields
        ledger = socket.expect(str(fields["reply_id"]), "0-0")
        return await cls._begin(socket, ledger, type="send", **said)

    @classmethod
    async def follow(
        cls, client: Client, run_id: str, after: str = "0-0", *, shares: bool = False
    ) -> "SocketReader":
        """Subscribe to a run from a cursor.

        Raises:
            Refused: as `send`.
        """
        socket = await _socket(client, shares=shares)
        ledger = socket.expect(run_id, after)
        return await cls._begin(socket, ledger, type="follow", run_id=run_id, after=after)

    @classmethod
    async def _begin(cls, socket: Socket, ledger: Ledger, **message: Any) -> "SocketReader":
        try:
            await cls._begun(socket, ledger, **message)
        except asyncio.CancelledError:
            socket.rst()  # somebody gave up: nothing of this socket is read any more
            raise
        return cls(socket, ledger)

    @staticmethod
    async def _begun(socket: Socket, ledger: Ledger, **message: Any) -> None:
        ref = new_id()
        await socket.try_to_say(ref=ref, **message)
        while not ledger.events:
            if ref in socket.errors:
                code = socket.errors.pop(ref)["error"]["code"]
                raise Refused(503 if code in RETRIED else 400, code)
            if socket.closed.is_set():
                raise _closed(socket)
            if socket.left:
                raise Refused("another reader of this person left with the socket")
            await asyncio.sleep(0.005)

    @property
    def left(self) -> str:
        """How this reader left; empty while it has not."""
        return self._left or self.socket.left

    @property
    def closed(self) -> asyncio.Event:
        return self.socket.closed

    @property
    def ended(self) -> Json | None:
        return self.ledger.ended

    def fin(self) -> None:
        self.socket.fin()

    def rst(self) -> None:
        self.socket.rst()

    def half_close(self) -> None:
        self.socket.half_close()

    def stop_reading(self) -> None:
        self.socket.stop_reading()

    async def goodbye(self) -> None:
        """Unfollow where the socket carries other runs, else close it with a close frame."""
        if all(reader is self or reader.left or reader.ended for reader in self.socket.readers):
            self.socket.say_goodbye()
            return
        self._left = "unfollow"
        await self.socket.try_to_say(type="unfollow", run_id=self.ledger.run_id)

    async def stop(self) -> None:
        """Press the Stop button of this page; whether it arrived nobody says."""
        await self.socket.try_to_say(type="stop", run_id=self.ledger.run_id)


async def _socket(client: Client, *, shares: bool, small_buffer: bool = False) -> Socket:
    if shares:
        for socket in client.sockets:
            if isinstance(socket, Socket) and not socket.left and not socket.closed.is_set():
                return socket
    return await Socket.try_to_open(client, small_buffer=small_buffer)


def _closed(socket: Socket) -> Refused:
    code = socket.close_code
    if code == RESTARTING_DAPHNE:
        return Refused(503, "restarting")
    if code is not None and code >= 4000:
        return Refused(code, "closed by the application")
    return Refused(f"closed with {code} before the first event")
