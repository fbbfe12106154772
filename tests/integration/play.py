"""One script, played on a server over a transport, and what came of it."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from tests.integration.client import Client, Refused, Response, new_id
from tests.integration.law import Reading
from tests.integration.ledger import Breach
from tests.integration.plan import PEOPLE, Act, Plan, PlannedReply
from tests.integration.scripts import script
from tests.integration.servers import Server
from tests.integration.socket_client import Socket
from tests.integration.socket_reader import RETRIED, SocketReader

Transport = Literal["SSE", "WebSocket"]
TRANSPORTS: tuple[Transport, ...] = ("SSE", "WebSocket")

ASK_SECONDS = 30.0
RECEIVE_SECONDS = 20.0

Answer = TypeVar("Answer", Reading, Response)


@dataclass
class Reply:
    """One reply of a script, and everybody who read it."""

    plan: PlannedReply
    client: Client
    conversation: str
    run_id: str = field(default_factory=new_id)
    question_id: str = field(default_factory=new_id)
    readers: list[Reading] = field(default_factory=list)
    acts: list[str] = field(default_factory=list)
    """What was really done, while the reply was in flight."""


class Play:
    """Plays one script."""

    def __init__(self, server: Server, plan: Plan, transport: Transport) -> None:
        self.server = server
        self.plan = plan
        self.transport = transport
        self.people: list[Client] = []
        self.replies: list[Reply] = []

    async def run(self) -> list[Breach]:
        """Play it to its end, and give what did not go as the wire promises."""
        try:
            await self._come_in()
        except Exception as error:  # it belongs to this seed, whatever it is
            return [breach_of(error)]
        lives = [self._live(reply) for reply in self.replies]
        outcomes = await asyncio.gather(self._meet_fate(), *lives, return_exceptions=True)
        found = [breach_of(outcome) for outcome in outcomes if outcome is not None]
        return found + [breach for client in self.people for breach in _told(client)]

    async def discard(self) -> None:
        """Drop every connection that is still open."""
        for client in self.people:
            await client.discard()

    async def _come_in(self) -> None:
        names = ("Alice", "Bob")[:PEOPLE]
        self.people = [await Client.sign_in(self.server, name) for name in names]
        for planned in self.plan.replies:
            client = self.people[planned.person]
            self.replies.append(Reply(planned, client, await client.new_conversation()))

    async def _meet_fate(self) -> None:
        if self.plan.fate == "none":
            return
        await asyncio.sleep(self.plan.fate_seconds)
        if self.plan.fate == "kill":
            self.server.kill()
        else:
            await self.server.terminate()
        await self.server.restart()

    @property
    def _other(self) -> Transport:
        return "WebSocket" if self.transport == "SSE" else "SSE"

    async def _live(self, reply: Reply) -> None:
        if reply.plan.cut_seconds is not None:
            await self._cut_a_send(reply, reply.plan.cut_seconds)
        reader = await self._begin(
            reply, self.transport, small_buffer=reply.plan.small_buffer, shares=reply.plan.shares
        )
        for act in reply.plan.acts:
            await _received_or_over(reader, reader.ledger.received + act.after_characters)
            if reader.ended:
                return
            reader = await self._act(reply, reader, act)
        if reply.plan.reads_to_the_end:
            await self._read_to_the_end(reply, reader.ledger.cursor)

    async def _act(self, reply: Reply, reader: Reading, act: Act) -> Reading:
        if reader.left or reader.closed.is_set():
            return await self._follow(reply, reader.ledger.cursor, act)
        reply.acts.append(act.name)
        match act.name:
            case "FIN":
                reader.fin()
            case "RST":
                reader.rst()
            case "half-close":
                reader.half_close()
            case "stop reading":
                reader.stop_reading()
            case "goodbye":
                await reader.goodbye()
            case "reload":
                reader.fin()
                return await self._follow(reply, reader.ledger.cursor, act)
            case "reload from 0":
                reader.rst()
                return await self._follow(reply, "0-0", act)
            case "second reader":
                return await self._follow(reply, "0-0", act)
            case "stop":
                await self._stop(reply, reader)
        return reader

    async def _begin(
        self, reply: Reply, transport: Transport, *, small_buffer: bool, shares: bool
    ) -> Reading:
        fields: dict[str, Any] = {
            "id": reply.question_id,
            "reply_id": reply.run_id,
            "on_disconnect": reply.plan.policy,
            "small_buffer": small_buffer,
        }
        content = script(*reply.plan.steps)

        async def send() -> Reading:
            if transport == "SSE":
                return await reply.client.send(reply.conversation, content, **fields)
            return await SocketReader.send(
                reply.client, reply.conversation, content, shares=shares, **fields
            )

        return await self._read(reply, send)

    async def _cut_a_send(self, reply: Reply, seconds: float) -> None:
        """Send and leave before the answer; the same request follows."""
        transport = self._other if reply.plan.cut_crosses else self.transport
        try:
            async with asyncio.timeout(seconds):
                reader = await self._begin(reply, transport, small_buffer=False, shares=False)
                reader.rst()
        except TimeoutError:
            pass

    async def _follow(self, reply: Reply, after: str, act: Act | None = None) -> Reading:
        transport = self._other if act is not None and act.crosses else self.transport
        shares = act is not None and act.shares

        async def follow() -> Reading:
            if transport == "SSE":
                return await reply.client.follow(reply.run_id, after)
            return await SocketReader.follow(reply.client, reply.run_id, after, shares=shares)

        return await self._read(reply, follow)

    async def _read(self, reply: Reply, subscribe: Callable[[], Awaitable[Reading]]) -> Reading:
        reader = await self._insist(subscribe)
        reply.readers.append(reader)
        return reader

    async def _stop(self, reply: Reply, reader: Reading) -> None:
        if isinstance(reader, SocketReader):
            await reader.stop()
            return
        answer = await self._insist(lambda: reply.client.stop(reply.run_id))
        assert answer.status in (200, 202), (answer.status, answer.body)

    async def _read_to_the_end(self, reply: Reply, after: str) -> None:
        while True:
            reader = await self._follow(reply, after)
            await _received_or_over(reader, None)
            if reader.ended:
                return
            after = reader.ledger.cursor

    async def _insist(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Ask again while nobody listens, the answer breaks off or the server drains."""
        async with asyncio.timeout(ASK_SECONDS):
            while True:
                try:
                    return await ask()
                except (Refused, OSError) as error:
                    answered = isinstance(error, Refused) and isinstance(error.args[0], int)
                    if answered and error.args[0] != 503:
                        raise
                await asyncio.sleep(0.05)


async def _received_or_over(reader: Reading, characters: int | None) -> None:
    """Wait until a reader has so many characters, or all that it will get."""
    async with asyncio.timeout(RECEIVE_SECONDS):
        while characters is None or reader.ledger.received < characters:
            if reader.closed.is_set() or reader.ended or reader.left:
                return
            await asyncio.sleep(0.005)


def _told(client: Client) -> list[Breach]:
    """Find what a person's sockets were told that nobody should be told."""
    sockets = [socket for socket in client.sockets if isinstance(socket, Socket)]
    errors = [message["error"] for socket in sockets for message in socket.errors.values()]
    return [Breach("wire", f"a socket was told {e}") for e in errors if e["code"] not in RETRIED]


def breach_of(error: BaseException) -> Breach:
    """Tell what went wrong in a script: who waited in vain met something endless."""
    if isinstance(error, TimeoutError):
        return Breach("endless", f"waited in vain: {''.join(traceback.format_exception(error))}")
    return Breach("wire", "".join(traceback.format_exception(error)))
