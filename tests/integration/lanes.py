"""Scripts of one cell side by side: each lane has a server and a database of its own."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tests.integration.law import (
    breaches_of_reading,
    breaches_of_rest,
    breaches_of_rows,
    breaches_of_text,
)
from tests.integration.ledger import Breach, Json
from tests.integration.plan import Plan, draw
from tests.integration.play import Play, Reply, Transport, breach_of
from tests.integration.scripts import said_by
from tests.integration.servers import Server

SIDE_BY_SIDE = 4
SETTLED_SECONDS = 15.0
_LOG_CHARACTERS = 4000
ENV = {
    "STREAMING_DISCONNECT_GRACE_SECONDS": "0.3",
    "STREAMING_HEARTBEAT_SECONDS": "0.2",
    "STREAMING_DRAIN_SECONDS": "0.5",
}


@dataclass(frozen=True, kw_only=True)
class Result:
    """What was done in one script, and what was found."""

    plan: Plan
    replies: int
    characters: int
    """Received by all readers together."""
    ways: Counter[str]
    """How many readers came to which end: the ways to leave, `ended`, or `cut` by the server."""
    acts: list[list[str]]
    outcomes: Counter[str]
    """How many replies came to which status."""
    breaches: list[Breach]
    log: str
    """The last that the server said."""

    def story(self) -> str:
        """Tell a failure."""
        head = f"seed {self.plan.seed}, fate {self.plan.fate}, acts {self.acts}"
        return "\n".join([head, *(str(breach) for breach in self.breaches), "log:", self.log])


class Lane:
    """A server that plays one script after another."""

    def __init__(self, kind: str, new_database: Callable[[], str]) -> None:
        self.kind = kind
        self._new_database = new_database
        self._server: Server | None = None

    async def play(self, transport: Transport, seed: int) -> Result:
        """Play the script of a seed and hold what was seen against what is stored."""
        server = await self._healthy_server()
        mark = server.mark()
        play = Play(server, draw(seed), transport)
        outcomes: Counter[str] = Counter()
        found = await play.run()
        try:
            found += await _breaches_of_rest(server.database)
            for reply in play.replies:
                message = await reply.client.message(reply.conversation, reply.run_id)
                outcomes[message["status"]] += 1
                found += await _breaches_of(reply, message, play.plan.fate)
        except Exception as error:  # it belongs to this seed, whatever it is
            found.append(breach_of(error))
        finally:
            await play.discard()
        found += [Breach("log", error) for error in server.errors(mark)]
        result = _result(play, outcomes, found)
        if found:
            self.discard()  # what is left over is not the next script's fault
        return result

    def discard(self) -> None:
        """End the server; the next script gets another."""
        if self._server is not None:
            self._server.discard()
            self._server = None

    async def _healthy_server(self) -> Server:
        if self._server is None:
            self._server = Server(kind=self.kind, database=self._new_database(), env=ENV)
        if not self._server.alive:
            await self._server.start()
        return self._server


async def play_all(
    lanes: Sequence[Lane], transport: Transport, seeds: Iterable[int]
) -> list[Result]:
    """Play scripts side by side, one per lane at a time."""
    waiting = deque(seeds)
    results: list[Result] = []

    async def play(lane: Lane) -> None:
        while waiting:
            results.append(await lane.play(transport, waiting.popleft()))

    async with asyncio.TaskGroup() as group:
        for lane in lanes:
            group.create_task(play(lane))
    return sorted(results, key=lambda result: result.plan.seed)


async def _breaches_of_rest(database: str) -> list[Breach]:
    """Wait for the last reply to be settled."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + SETTLED_SECONDS
    while found := await asyncio.to_thread(breaches_of_rest, database):
        if loop.time() > deadline:
            return found
        await asyncio.sleep(0.05)
    return []


async def _breaches_of(reply: Reply, message: Json, fate: str) -> list[Breach]:
    return [
        *breaches_of_reading(message, reply.readers),
        *breaches_of_text(message, said_by(reply.plan.steps)),
        *_breaches_of_outcome(reply, message, fate),
        *await breaches_of_rows(reply.client, reply.conversation, {reply.run_id}),
    ]


def _breaches_of_outcome(reply: Reply, message: Json, fate: str) -> list[Breach]:
    """Check that the outcome is one that this script can have led to."""
    possible = {("completed", "stop")}
    if "stop" in reply.acts:
        possible.add(("stopped", "user"))
    if reply.plan.policy == "stop":
        possible.add(("interrupted", "client_disconnected"))
    if fate == "kill":
        possible.add(("interrupted", "worker_lost"))
    if fate == "term":
        possible.add(("interrupted", "shutdown"))
    found = (message["status"], message["reason"])
    if found in possible:
        return []
    return [Breach("wire", f"{message['id']} is {'/'.join(found)}, possible are {possible}")]


def _result(play: Play, outcomes: Counter[str], found: list[Breach]) -> Result:
    readers = [reader for reply in play.replies for reader in reply.readers]
    return Result(
        plan=play.plan,
        replies=len(play.replies),
        characters=sum(reader.ledger.received for reader in readers),
        ways=Counter("ended" if r.ended else r.left or "cut" for r in readers),
        acts=[reply.acts for reply in play.replies],
        outcomes=outcomes,
        breaches=found,
        log=play.server.log()[-_LOG_CHARACTERS:],
    )
