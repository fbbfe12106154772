"""Random readers, random ways to leave, kills and restarts: nobody saw a word that is not stored.

PROVE_SCRIPTS sets how many scripts each kind of server plays; a failure names its seed, and
`pytest -k seed-17` plays that script again.
"""

import asyncio
import os
import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import pytest

from tests.integration.client import Client, Reader, Refused, Response, new_id
from tests.integration.databases import SQLite
from tests.integration.fleet import Servers
from tests.integration.law import breaches_of_reading, breaches_of_rest, breaches_of_rows
from tests.integration.ledger import Json
from tests.integration.scripts import flood, said_by, script, talk
from tests.integration.servers import Server, eventually

Answer = TypeVar("Answer", Reader, Response)

SCRIPTS = int(os.environ.get("PROVE_SCRIPTS", "20"))
KINDS = ("uvicorn", "uvicorn-asyncio", "daphne")
SETTLED_SECONDS = 15.0
LEAVES = ("FIN", "RST", "half-close", "stop reading")
ACTS = (*LEAVES, "reload", "reload from 0", "second reader", "stop")
FATES = ("none", "none", "none", "kill", "kill", "term", "term")
ENV = {
    "STREAMING_DISCONNECT_GRACE_SECONDS": "0.3",
    "STREAMING_HEARTBEAT_SECONDS": "0.2",
    "STREAMING_DRAIN_SECONDS": "0.5",
}


@dataclass
class Reply:
    """One reply of a script, and everybody who read it."""

    client: Client
    conversation: str
    steps: list[Json]
    policy: str
    run_id: str = field(default_factory=new_id)
    question_id: str = field(default_factory=new_id)
    readers: list[Reader] = field(default_factory=list)
    acts: list[str] = field(default_factory=list)
    """What was really done, while the reply was in flight."""


@dataclass
class Play:
    """One script on one server."""

    server: Server
    rng: random.Random
    replies: list[Reply] = field(default_factory=list)
    fate: str = "none"

    async def run(self) -> None:
        people = [await Client.sign_in(self.server, name) for name in ("Alice", "Bob")]
        for number in range(self.rng.randint(2, 4)):
            self.replies.append(await self._draw(people[number % 2]))
        self.fate = self.rng.choice(FATES)
        fate = self._meet_fate(self.rng.uniform(0.05, 0.9))
        # Each reply has a generator of its own, so that timing does not change what is drawn.
        lives = [self._live(r, random.Random(self.rng.random())) for r in self.replies]
        await asyncio.gather(fate, *lives)

    async def discard(self) -> None:
        for reply in self.replies:
            for reader in reply.readers:
                await reader.discard()

    async def _draw(self, client: Client) -> Reply:
        if self.rng.random() < 0.2:
            steps = flood(self.rng, self.rng.randint(100, 250))
        else:
            steps = talk(self.rng, self.rng.randint(20, 90), self.rng.choice([2, 5, 10]))
        policy = self.rng.choice(["continue", "continue", "stop"])
        return Reply(client, await client.new_conversation(), steps, policy)

    async def _meet_fate(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        if self.fate == "none":
            return
        if self.fate == "kill":
            self.server.kill()
        else:
            await self.server.terminate()
        await self.server.restart()

    async def _live(self, reply: Reply, rng: random.Random) -> None:
        if rng.random() < 0.2:
            await self._cut_a_send(reply, rng.uniform(0, 0.03))
        reader = await self._begin(reply, small_buffer=rng.random() < 0.3)
        acts = rng.choices(ACTS, k=rng.randint(1, 3))
        if not set(acts) & set(LEAVES):
            acts.append(rng.choice(LEAVES))
        for act in acts:
            more = reader.ledger.received + rng.randint(1, 120)
            await _received_or_over(reader, more)
            if reader.ended:
                return
            if not reader.left and not reader.closed.is_set():
                reply.acts.append(act)
            reader = await self._act(reply, reader, act)
        if rng.random() < 0.5:
            await self._read_to_the_end(reply, reader.ledger.cursor)

    async def _act(self, reply: Reply, reader: Reader, act: str) -> Reader:
        if reader.left or reader.closed.is_set():
            return await self._follow(reply, reader.ledger.cursor)
        match act:
            case "FIN":
                reader.fin()
            case "RST":
                reader.rst()
            case "half-close":
                reader.half_close()
            case "stop reading":
                reader.stop_reading()
            case "reload":
                reader.fin()
                return await self._follow(reply, reader.ledger.cursor)
            case "reload from 0":
                reader.rst()
                return await self._follow(reply, "0-0")
            case "second reader":
                return await self._follow(reply, "0-0")
            case "stop":
                answer = await self._insist(lambda: reply.client.stop(reply.run_id))
                assert answer.status in (200, 202), (answer.status, answer.body)
        return reader

    async def _begin(self, reply: Reply, *, small_buffer: bool) -> Reader:
        async def send() -> Reader:
            return await reply.client.send(
                reply.conversation,
                script(*reply.steps),
                id=reply.question_id,
                reply_id=reply.run_id,
                on_disconnect=reply.policy,
                small_buffer=small_buffer,
            )

        reader = await self._insist(send)
        reply.readers.append(reader)
        return reader

    async def _cut_a_send(self, reply: Reply, seconds: float) -> None:
        """Send and leave before the answer; the same request follows."""
        try:
            async with asyncio.timeout(seconds):
                reader = await self._begin(reply, small_buffer=False)
                reader.rst()
        except TimeoutError:
            pass

    async def _follow(self, reply: Reply, after: str) -> Reader:
        reader = await self._insist(lambda: reply.client.follow(reply.run_id, after))
        reply.readers.append(reader)
        return reader

    async def _read_to_the_end(self, reply: Reply, after: str) -> None:
        while True:
            reader = await self._follow(reply, after)
            await reader.until_closed()
            if reader.ended:
                return
            after = reader.ledger.cursor

    async def _insist(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """Ask again while nobody listens, the answer breaks off or the server drains."""
        async with asyncio.timeout(30):
            while True:
                try:
                    return await ask()
                except (Refused, OSError) as error:
                    answered = isinstance(error, Refused) and isinstance(error.args[0], int)
                    if answered and error.args[0] != 503:
                        raise
                await asyncio.sleep(0.05)


async def _received_or_over(reader: Reader, characters: int) -> None:
    async with asyncio.timeout(20):
        while reader.ledger.received < characters and not reader.left:
            if reader.closed.is_set() or reader.ended:
                return
            await asyncio.sleep(0.005)


def breaches_of_outcome(reply: Reply, message: Json, fate: str) -> list[str]:
    """Check that the outcome is one that this script can have led to, and its text likewise."""
    possible = {("completed", "stop")}
    if "stop" in reply.acts:
        possible.add(("stopped", "user"))
    if reply.policy == "stop":
        possible.add(("interrupted", "client_disconnected"))
    if fate == "kill":
        possible.add(("interrupted", "worker_lost"))
    if fate == "term":
        possible.add(("interrupted", "shutdown"))
    found = []
    if (message["status"], message["reason"]) not in possible:
        found.append(f"{message['id']}: {message['status']}/{message['reason']} of {possible}")
    whole = said_by(reply.steps)
    if not whole.startswith(message["content"]):
        found.append(f"{message['id']}: stored text is not what the source said")
    if message["status"] == "completed" and message["content"] != whole:
        found.append(f"{message['id']}: completed with {len(message['content'])} of {len(whole)}")
    return found


@pytest.fixture(scope="module", params=KINDS)
def server(request: pytest.FixtureRequest, sqlite: SQLite) -> Iterator[Server]:
    found = Server(kind=request.param, database=sqlite.new(), env=ENV)
    asyncio.run(found.start())
    yield found
    found.discard()


@pytest.mark.parametrize("seed", [pytest.param(n, id=f"seed-{n}") for n in range(1, SCRIPTS + 1)])
async def test_what_each_reader_received_is_a_prefix_of_what_is_stored(
    server: Server, seed: int
) -> None:
    if not server.alive:
        await server.start()
    mark = server.mark()
    play = Play(server, random.Random(seed))
    try:
        await play.run()
        await eventually(
            lambda: not breaches_of_rest(server.database),
            SETTLED_SECONDS,
            lambda: f"seed {seed}, {play.fate}: {breaches_of_rest(server.database)}",
        )
        found = await _judge(play)
    finally:
        await play.discard()
    found += [f"log: {error}" for error in server.errors(mark)]
    story = f"seed {seed}, {server.kind}, fate {play.fate}, acts {[r.acts for r in play.replies]}"
    assert not found, "\n".join([story, *found])
    closes = [act for r in play.replies for act in r.acts if act != "stop"]
    assert closes or play.fate != "none", f"{story}: nothing was closed, it proves nothing"
    received = sum(reader.ledger.received for r in play.replies for reader in r.readers)
    assert received, f"{story}: nothing was read, it proves nothing"


async def _judge(play: Play) -> list[str]:
    found = []
    for reply in play.replies:
        message = await reply.client.message(reply.conversation, reply.run_id)
        found += breaches_of_reading(message, reply.readers)
        found += breaches_of_outcome(reply, message, play.fate)
        found += await breaches_of_rows(reply.client, reply.conversation, {reply.run_id})
    return found


async def test_an_error_of_ours_is_found_in_the_log(servers: Servers) -> None:
    server = await servers.start()
    client = await servers.client(server)
    conversation = await client.new_conversation()
    mark = server.mark()
    steps = [{"text": "so far "}, {"raise": "planted for the test"}]
    reader = await client.send(conversation, script(*steps))
    ended = await reader.until_ended()
    assert (ended["status"], ended["reason"]) == ("failed", "internal")
    message = await client.settled(conversation, reader.ledger.run_id)
    assert message["content"] == "so far ", "the text before the error is kept"
    assert not breaches_of_reading(message, [reader])
    found = "\n".join(server.errors(mark))
    assert "Traceback" in found, "an exception in a source leaves no traceback in the log"
    assert "planted for the test" in found
