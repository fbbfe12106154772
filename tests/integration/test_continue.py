"""`ON_WORKER_LOSS=continue`: another process goes on with a reply; its readers do not notice."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from tests.integration.client import Client, metrics
from tests.integration.databases import RUNS, PostgreSQL, rows
from tests.integration.fleet import Servers
from tests.integration.law import (
    Reading,
    breaches_of_reading,
    breaches_of_rest,
    breaches_of_text,
)
from tests.integration.scripts import said_by, script, talk
from tests.integration.servers import Server, eventually
from tests.integration.socket_reader import SocketReader
from tests.upstream import FakeUpstream

ENV = {"STREAMING_ON_WORKER_LOSS": "continue", "STREAMING_HEARTBEAT_SECONDS": "0.2"}
WORDS = " ".join(f"word{number}" for number in range(200))
SLOW = "paced-100"
"""Says `WORDS` in 20 s: longer than it takes until somebody else goes on."""


async def pair(servers: Servers, database: str, **env: str) -> tuple[Server, Server]:
    """Two workers of one host."""
    first = servers.prepare(database=database, env=ENV | env)
    shared = {"STREAMING_RUN_DIRECTORY": first.environment()["STREAMING_RUN_DIRECTORY"]}
    second = servers.prepare(database=database, env=ENV | env | shared)
    await asyncio.gather(first.start(), second.start())
    return first, second


async def strangers(servers: Servers, database: str, **env: str) -> tuple[Server, Server]:
    """Two workers that know each other by their beats only, as on two hosts."""
    lease = ENV | {"STREAMING_LEASE_SECONDS": "3"} | env
    first = servers.prepare(database=database, env=lease)
    second = servers.prepare(database=database, env=lease)
    await asyncio.gather(first.start(), second.start())
    return first, second


def talking(pieces: int = 250, pause_ms: float = 8) -> list[dict[str, Any]]:
    return talk(random.Random(pieces), pieces, pause_ms)


def talking_until(gate: str, pieces: int = 250) -> list[dict[str, Any]]:
    """What cannot be at its end before a gate is open."""
    *said, finish = talking(pieces)
    return [*said, {"gate": gate}, {"text": "and that is all"}, finish]


async def whole(client: Client, conversation: str, said: str, readers: Sequence[Reading]) -> None:
    """Check that a reply is complete, that nothing is doubled, and what its readers saw of it."""
    message = await client.settled(conversation, readers[0].ledger.run_id, 5)
    assert (message["status"], message["reason"]) == ("completed", "stop")
    assert message["content"] == said
    assert not breaches_of_text(message, said)
    assert not breaches_of_reading(message, readers)


@pytest.mark.parametrize("moment", [20, 2500])
async def test_another_worker_goes_on_after_a_kill(
    servers: Servers, database: str, moment: int
) -> None:
    first, second = await pair(servers, database)
    client = await servers.client(first)
    there = client.at(second)
    conversation = await client.new_conversation()
    steps = talking_until("end")
    local = await client.send(conversation, script(*steps))
    follower = await there.follow(local.ledger.run_id)
    await local.until_received(moment)
    first.kill()
    second.open_gate("end")
    await local.until_closed()
    resumed = await there.follow(local.ledger.run_id, local.ledger.cursor)
    await resumed.until_ended()
    await follower.until_ended()
    await whole(there, conversation, said_by(steps), [local, follower, resumed])
    assert local.ledger.text + resumed.ledger.text == said_by(steps) == follower.ledger.text
    assert (await metrics(second))["holdfast_lost_runs_total"] == 1
    await there.discard()
    assert not breaches_of_rest(database)
    assert not second.errors(), second.errors()


@pytest.mark.parametrize("kind", ["uvicorn", "daphne"])
async def test_a_single_server_goes_on_after_its_restart(
    servers: Servers, kind: str, database: str
) -> None:
    server = await servers.start(kind, database, env=ENV)
    client = await servers.client(server)
    conversation = await client.new_conversation()
    steps = [{"reasoning": "why? ", "repeat": 5}, *talking(150)]
    reader = await client.send(conversation, script(*steps))
    readers = [reader]
    for received in (300, 1200):
        await readers[-1].until_received(received)
        server.kill()
        await readers[-1].until_closed()
        await server.restart()
        readers.append(await client.follow(reader.ledger.run_id, readers[-1].ledger.cursor))
    await readers[-1].until_ended()
    await whole(client, conversation, said_by(steps), readers)
    assert not server.errors(), server.errors()


async def test_a_run_that_kills_its_worker_again_and_again_ends(
    servers: Servers, database: str
) -> None:
    server = await servers.start(database=database, env=ENV | {"STREAMING_RESUME_TRIES": "1"})
    client = await servers.client(server)
    conversation = await client.new_conversation()
    reader = await client.send(conversation, script({"text": "kept"}, {"gate": "never"}))
    await reader.until_received(4)
    run_id = reader.ledger.run_id
    server.kill()
    await server.restart()
    await eventually(lambda: rows(database, f"SELECT tries FROM {RUNS}") == [(1,)], 5, "no try")
    server.kill()
    await server.restart()
    message = await client.settled(conversation, run_id, 5)
    assert (message["status"], message["reason"]) == ("interrupted", "worker_lost")
    assert message["content"] == "kept"


async def test_readers_are_told_that_a_reply_recovers(servers: Servers, database: str) -> None:
    first, second = await pair(servers, database)
    client = await servers.client(first)
    there = client.at(second)
    conversation = await client.new_conversation()
    steps = [{"text": "one "}, {"gate": "go"}, {"text": "two"}, {"finish": "stop"}]
    local = await client.send(conversation, script(*steps))
    follower = await there.follow(local.ledger.run_id)
    await follower.until_received(4)
    first.kill()
    await follower.until(lambda ledger: _is_told(ledger.events, "recovering"))
    second.open_gate("go")
    ended = await follower.until_ended()
    assert ended["status"] == "completed"
    assert follower.ledger.text == "one two"
    await there.discard()


def _is_told(events: list[dict[str, Any]], state: str) -> bool:
    return any(event["type"] == "ping" and event["state"] == state for event in events)


async def test_a_stop_while_nobody_owns_the_reply_wins(servers: Servers, database: str) -> None:
    first, second = await strangers(servers, database)
    client = await servers.client(first)
    there = client.at(second)
    conversation = await client.new_conversation()
    local = await client.send(conversation, script({"text": "kept"}, {"gate": "never"}))
    await local.until_received(4)
    first.kill()
    assert (await there.stop(local.ledger.run_id)).status == 202
    message = await there.settled(conversation, local.ledger.run_id, 15)
    assert (message["status"], message["reason"]) == ("stopped", "user")
    assert message["content"] == "kept"


async def test_what_a_drain_leaves_goes_on_elsewhere(servers: Servers, database: str) -> None:
    first, second = await pair(servers, database)
    client = await servers.client(first)
    there = client.at(second)
    conversation = await client.new_conversation()
    steps = talking_until("end")
    local = await client.send(conversation, script(*steps))
    follower = await there.follow(local.ledger.run_id)
    await local.until_received(300)
    assert await first.terminate() in (0, -15)
    second.open_gate("end")
    await local.until_closed()
    assert local.ended is None, "a planned close means that there is more"
    resumed = await there.follow(local.ledger.run_id, local.ledger.cursor)
    await resumed.until_ended()
    await follower.until_ended()
    await whole(there, conversation, said_by(steps), [local, follower, resumed])
    await there.discard()
    assert not first.errors(), first.errors()
    assert not second.errors(), second.errors()


@pytest.fixture
async def upstream() -> AsyncIterator[FakeUpstream]:
    async with FakeUpstream() as found:
        yield found


def _asking(upstream: FakeUpstream, *, continuing: bool) -> dict[str, str]:
    models = {"OPENAI_BASE_URL": upstream.base_url, "OPENAI_MODELS": SLOW}
    return models | ({"OPENAI_CONTINUING_MODELS": SLOW} if continuing else {})


async def test_a_worker_that_comes_back_from_a_pause_stops_spending_and_writes_nothing(
    servers: Servers, postgresql: PostgreSQL, upstream: FakeUpstream
) -> None:
    # Not on SQLite: a process stopped in mid-commit keeps the file's lock.
    database = postgresql.new()
    first, second = await strangers(servers, database, **_asking(upstream, continuing=True))
    client = await servers.client(first)
    there = client.at(second)
    conversation = await client.new_conversation(model=SLOW)
    local = await client.send(conversation, WORDS)
    await local.until_received(50)
    follower = await there.follow(local.ledger.run_id)
    sockets = [await SocketReader.follow(one, local.ledger.run_id) for one in (client, there)]
    first.pause()
    await asyncio.wait_for(upstream.wait_for_requests(2), 20)
    first.resume()
    async with asyncio.timeout(10):
        await upstream.seen[0].gone.wait()
    assert not upstream.seen[0].completed
    await local.until_ended()  # its reader follows the run to where it is now
    await follower.until_ended()
    said = "".join(f"{word} " for word in WORDS.split())
    for reader in (local, follower, *sockets):
        await eventually(lambda: reader.ended, 5, "a reader was told of no end")  # noqa: B023
        assert reader.ledger.text == said
    await whole(there, conversation, said, [local, follower, *sockets])
    assert len(upstream.seen) == 2
    await there.discard()
    assert not breaches_of_rest(database)


async def test_a_reply_of_a_model_that_cannot_go_on_is_interrupted(
    servers: Servers, database: str, upstream: FakeUpstream
) -> None:
    first, second = await pair(servers, database, **_asking(upstream, continuing=False))
    client = await servers.client(first)
    there = client.at(second)
    conversation = await client.new_conversation(model=SLOW)
    local = await client.send(conversation, WORDS)
    await local.until_received(50)
    first.kill()
    message = await there.settled(conversation, local.ledger.run_id, 10)
    assert (message["status"], message["reason"]) == ("interrupted", "worker_lost")
    assert not breaches_of_reading(message, [local])
    assert len(upstream.seen) == 1
