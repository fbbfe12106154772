"""Two server processes on one database: every reader and every button works on either."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.integration.client import Client, new_id
from tests.integration.databases import WORKERS, PostgreSQL, count
from tests.integration.fleet import Servers
from tests.integration.law import breaches_of_reading, breaches_of_rest, breaches_of_rows
from tests.integration.scripts import script
from tests.integration.servers import Server, eventually

ENV = {"STREAMING_DISCONNECT_GRACE_SECONDS": "0", "STREAMING_HEARTBEAT_SECONDS": "0.3"}


@dataclass
class Pair:
    """Two workers that share a database and a run directory, and one person at both."""

    first: Server
    second: Server
    here: Client
    there: Client
    database: str

    def open_gate(self, name: str) -> None:
        for server in (self.first, self.second):
            server.open_gate(name)


@pytest.fixture(
    scope="module",
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)],
)
def both(request: pytest.FixtureRequest) -> Iterator[Pair]:
    new: Callable[[], str] = request.getfixturevalue(request.param).new
    found = asyncio.run(_start_pair(new()))
    yield found
    found.first.discard()
    found.second.discard()


@pytest.fixture
async def pair(both: Pair) -> AsyncIterator[Pair]:
    """The two workers, whose logs must be quiet after the test."""
    marks = both.first.mark(), both.second.mark()
    yield both
    for client in (both.here, both.there):
        await client.discard()
    for server, mark in zip((both.first, both.second), marks, strict=True):
        assert not server.errors(mark), server.errors(mark)


async def test_a_run_is_followed_and_resumed_from_the_other_worker(pair: Pair) -> None:
    conversation = await pair.here.new_conversation()
    steps = [
        {"repeat": 50, "text": "one ", "pause_ms": 2},
        {"gate": "go"},
        {"repeat": 50, "text": "zwei ", "pause_ms": 2},
        {"finish": "stop"},
    ]
    local = await pair.here.send(conversation, script(*steps))
    await local.until_received(40)
    remote = await pair.there.follow(local.ledger.run_id)
    await remote.until_received(200)
    cursor = remote.ledger.cursor
    remote.rst()
    resumed = await pair.there.follow(local.ledger.run_id, cursor)
    await resumed.until_started()
    pair.open_gate("go")
    ended = await resumed.until_ended()
    assert (ended["status"], ended["reason"]) == ("completed", "stop")
    await local.until_ended()
    message = await pair.there.settled(conversation, local.ledger.run_id, 1)
    assert message["content"] == "one " * 50 + "zwei " * 50
    assert not breaches_of_reading(message, [local, remote, resumed])


async def test_a_remote_reader_gets_text_while_the_reply_streams(pair: Pair) -> None:
    conversation = await pair.here.new_conversation()
    steps = [{"text": "first "}, {"gate": "remote"}, {"text": "second"}, {"finish": "stop"}]
    local = await pair.here.send(conversation, script(*steps))
    remote = await pair.there.follow(local.ledger.run_id)
    await remote.until_received(6, 3)
    assert remote.ended is None
    pair.open_gate("remote")
    await remote.until_ended(5)


async def test_stop_works_from_the_other_worker(pair: Pair) -> None:
    conversation = await pair.here.new_conversation()
    steps = [{"text": "kept"}, {"stall": True}]
    local = await pair.here.send(conversation, script(*steps))
    await local.until_received(4)
    answer = await pair.there.stop(local.ledger.run_id)
    assert answer.status == 202, (answer.status, answer.body)
    ended = await local.until_ended(3)
    assert (ended["status"], ended["reason"]) == ("stopped", "user")
    message = await pair.there.settled(conversation, local.ledger.run_id, 3)
    assert message["content"] == "kept"
    assert (await pair.there.stop(local.ledger.run_id)).status == 200


async def test_a_second_start_of_the_same_reply_attaches_from_the_other_worker(pair: Pair) -> None:
    conversation = await pair.here.new_conversation()
    content = script({"text": "once "}, {"gate": "attach"}, {"text": "only"}, {"finish": "stop"})
    local = await pair.here.send(
        conversation, content, id=(question := new_id()), reply_id=new_id()
    )
    await local.until_received(5)
    remote = await pair.there.send(conversation, content, id=question, reply_id=local.ledger.run_id)
    await remote.until_received(5)
    pair.open_gate("attach")
    await local.until_ended()
    await remote.until_ended()
    assert not await breaches_of_rows(pair.there, conversation, {local.ledger.run_id})


async def test_a_remote_reader_keeps_a_run_of_policy_stop_alive(pair: Pair) -> None:
    conversation = await pair.here.new_conversation()
    steps = [{"text": "one "}, {"gate": "alive"}, {"text": "two"}, {"finish": "stop"}]
    local = await pair.here.send(conversation, script(*steps), on_disconnect="stop")
    await local.until_received(4)
    remote = await pair.there.follow(local.ledger.run_id)
    await remote.until_received(4)
    local.fin()
    await asyncio.sleep(1.5)  # several looks of the owner
    pair.open_gate("alive")
    ended = await remote.until_ended(5)
    assert (ended["status"], ended["reason"]) == ("completed", "stop")


async def test_the_last_remote_reader_ends_a_run_of_policy_stop(pair: Pair) -> None:
    conversation = await pair.here.new_conversation()
    steps = [{"text": "kept"}, {"stall": True}]
    local = await pair.here.send(conversation, script(*steps), on_disconnect="stop")
    await local.until_received(4)
    remote = await pair.there.follow(local.ledger.run_id)
    await remote.until_received(4)
    local.fin()
    remote.fin()
    message = await pair.here.settled(conversation, local.ledger.run_id, 15)
    assert (message["status"], message["reason"]) == ("interrupted", "client_disconnected")
    assert message["content"] == "kept"


async def test_a_worker_paused_beyond_its_lease_is_fenced_and_the_reply_is_settled_once(
    servers: Servers, postgresql: PostgreSQL
) -> None:
    # Another run directory: a stopped process still holds its lock file, only beats tell.
    first = await servers.start(database=postgresql.new(), env=_lease())
    second = await servers.start(database=first.database, env=_lease())
    client = await servers.client(first)
    conversation = await client.new_conversation()
    steps = [{"repeat": 20_000, "text": "word ", "pause_ms": 5}]
    local = await client.send(conversation, script(*steps))
    await local.until_received(100)
    there = client.at(second)
    remote = await there.follow(local.ledger.run_id)
    await remote.until_received(100)
    first.pause()
    ended = await remote.until_ended(15)
    assert (ended["status"], ended["reason"]) == ("interrupted", "worker_lost")
    settled = await there.settled(conversation, local.ledger.run_id, 1)
    first.resume()
    # The fenced worker turns its local readers into remote ones, which then see the end.
    told = await local.until_ended(10)
    assert (told["status"], told["reason"]) == ("interrupted", "worker_lost")
    again = await client.message(conversation, local.ledger.run_id)
    assert again == settled, "a fenced worker changed a settled reply"
    assert not breaches_of_reading(again, [local, remote])
    other = await client.new_conversation()
    reader = await client.send(other, script({"text": "back"}, {"finish": "stop"}))
    ended = await reader.until_ended(10)
    assert ended["status"] == "completed", "a fenced worker registers anew"
    await eventually(lambda: not breaches_of_rest(first.database), 5, "rows in flight are left")
    await eventually(lambda: count(first.database, WORKERS) == 2, 10, "worker rows are not 2")
    await there.discard()


async def test_a_worker_paused_within_its_lease_goes_on(
    servers: Servers, postgresql: PostgreSQL
) -> None:
    lease = {"STREAMING_LEASE_SECONDS": "8"}
    first = await servers.start(database=postgresql.new(), env=ENV | lease)
    second = await servers.start(database=first.database, env=ENV | lease)
    client = await servers.client(first)
    conversation = await client.new_conversation()
    steps = [{"text": "one "}, {"gate": "paused"}, {"text": "two"}, {"finish": "stop"}]
    local = await client.send(conversation, script(*steps))
    await local.until_received(4)
    first.pause()
    await asyncio.sleep(2)  # the pause itself, well within the lease
    first.resume()
    first.open_gate("paused")
    ended = await local.until_ended(10)
    assert (ended["status"], ended["reason"]) == ("completed", "stop")
    assert not second.errors(), second.errors()


async def _start_pair(database: str) -> Pair:
    first = Server(kind="uvicorn", database=database, env=ENV)
    shared = {"STREAMING_RUN_DIRECTORY": first.environment()["STREAMING_RUN_DIRECTORY"]}
    second = Server(kind="uvicorn", database=database, env=ENV | shared)
    await asyncio.gather(first.start(), second.start())
    here = await Client.sign_in(first)
    await here.new_conversation()  # the first unsafe request makes the guest
    return Pair(first, second, here, here.at(second), database)


def _lease() -> dict[str, str]:
    return ENV | {"STREAMING_LEASE_SECONDS": "3"}
