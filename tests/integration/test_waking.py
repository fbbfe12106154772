"""Server processes that wake each other, by NOTIFY or by Redis: every button works on each."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from tests.integration.client import Client, Reader, metrics
from tests.integration.databases import RUNS as LIVE
from tests.integration.databases import WORKERS as TABLE_OF_WORKERS
from tests.integration.databases import PostgreSQL, rows
from tests.integration.law import breaches_of_reading, breaches_of_rest, breaches_of_rows
from tests.integration.scripts import script
from tests.integration.servers import Server, eventually, is_ready
from tests.integration.socket_client import Socket
from tests.redis_server import RedisServer

WORKERS = 4
POOL = 10
READERS = 1000
RUNS = 20
pytestmark = pytest.mark.postgresql


@dataclass
class Fleet:
    """Workers on one database, and one person at each of them."""

    by: str
    servers: list[Server]
    clients: list[Client]
    redis: RedisServer | None

    @property
    def database(self) -> str:
        return self.servers[0].database

    def connections(self) -> tuple[int, int]:
        """Count connections to the database, and those that listen."""
        found = rows(
            self.database,
            "SELECT count(*), count(*) FILTER (WHERE application_name = 'holdfast-waking')"
            " FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        database, listening = found[0]
        if self.redis is not None:
            listening = len(self.redis.ask("CLIENT", "LIST", "TYPE", "pubsub").splitlines())
        return database, listening

    def owners(self) -> dict[str, int]:
        """Count live runs by whether their workers live."""
        found = rows(
            self.database,
            "SELECT CASE WHEN w.alive AND NOT r.released THEN 'alive' ELSE 'lost' END, count(*)"
            f" FROM {LIVE} r LEFT JOIN {TABLE_OF_WORKERS} w ON w.id = r.worker_id GROUP BY 1",
        )
        return dict(found)

    async def settlements(self) -> float:
        """How many runs all workers have settled."""
        figures = await asyncio.gather(*(metrics(server) for server in self.servers))
        return sum(found.get("holdfast_runs_ended_total", 0) for found in figures)

    async def proven(self) -> bool:
        answers = await asyncio.gather(*(client.get("/readyz") for client in self.clients))
        return all(answer.json()["waking"] == _woken_by(self.by) for answer in answers)


def _woken_by(by: str) -> dict[str, object]:
    return {"by": by, "proven": True}


@pytest.fixture(scope="module", params=["notify", pytest.param("redis", marks=pytest.mark.redis)])
def started(request: pytest.FixtureRequest, postgresql: PostgreSQL) -> Iterator[Fleet]:
    redis = request.getfixturevalue("redis") if request.param == "redis" else None
    found = asyncio.run(_start(request.param, postgresql.new(), redis))
    yield found
    for server in found.servers:
        server.discard()


@pytest.fixture
async def fleet(started: Fleet) -> AsyncIterator[Fleet]:
    """The workers, whose logs must be quiet after the test."""
    marks = [server.mark() for server in started.servers]
    await eventually(started.proven, 15, "not every worker has its proof")
    yield started
    for client in started.clients:
        await client.discard()
    for server, mark in zip(started.servers, marks, strict=True):
        assert not server.errors(mark), server.errors(mark)


async def test_four_workers_and_any_of_them_for_each_request(fleet: Fleet) -> None:
    dice = random.Random(6)
    for _ in range(5):
        before = await fleet.settlements()
        here, there, elsewhere, yonder = dice.sample(fleet.clients, WORKERS)
        conversation = await here.new_conversation()
        steps = [{"repeat": 20_000, "text": "word ", "pause_ms": 5}]
        local = await here.send(conversation, script(*steps))
        await local.until_received(20)
        run_id = local.ledger.run_id
        remote = await there.follow(run_id)
        await remote.until_received(100, 5)
        remote.rst()
        resumed = await elsewhere.follow(run_id, remote.ledger.cursor)
        await resumed.until_received(50, 5)
        assert (await yonder.stop(run_id)).status == 202
        readers = [local, resumed]
        for reader in readers:
            ended = await reader.until_ended(5)
            assert (ended["status"], ended["reason"]) == ("stopped", "user")
        for client in fleet.clients:
            message = await client.settled(conversation, run_id, 1)
            assert not breaches_of_reading(message, [local, remote, resumed])
        assert not await breaches_of_rows(yonder, conversation, {run_id})
        assert await fleet.settlements() == before + 1
    assert not breaches_of_rest(fleet.database)


async def test_what_changes_on_one_worker_is_told_to_sockets_of_the_others(fleet: Fleet) -> None:
    here, there, *_ = fleet.clients
    socket = await Socket.open(there)
    await socket.say(type="ping")
    known = (await socket.heard(type="pong"))["revision"]
    conversation = await here.new_conversation()
    told = await socket.heard(5, type="conversation.created", conversation_id=conversation)
    assert told["revision"] > known


@pytest.mark.redis
@pytest.mark.parametrize("started", ["redis"], indirect=True)
@pytest.mark.timeout(180)
async def test_a_thousand_resume_after_all_workers_were_restarted_without_a_connection_each(
    fleet: Fleet,
) -> None:
    here, *others = fleet.clients
    before = await _follow(fleet, here, others[:1], [])
    few_database, few_listening = fleet.connections()
    assert few_listening == WORKERS
    readers = await _follow(fleet, here, others, before)
    runs = {reader.ledger.run_id for reader in readers}
    for server in fleet.servers:  # the first produces the replies, then whoever took them
        await server.terminate()
        assert fleet.owners() == {"alive": RUNS}
        server.spawn()
        await eventually(lambda: is_ready(server), 30, server.log)  # noqa: B023
    assert rows(fleet.database, f"SELECT count(*) FROM {LIVE} WHERE claimed_at IS NULL") == [(0,)]
    await eventually(fleet.proven, 15, "not every worker has its proof again")
    dice, limit = random.Random(7), asyncio.Semaphore(50)

    async def resume(reader: Reader) -> Reader:
        async with limit:
            cursor = reader.ledger.cursor
            found = await dice.choice(fleet.clients).follow(reader.ledger.run_id, cursor)
            await found.until_started(30)
            return found

    resumed = await asyncio.gather(*(resume(reader) for reader in readers))
    database, listening = fleet.connections()
    assert listening == WORKERS
    assert database <= WORKERS * (POOL + 1), f"{database} connections; with few {few_database}"
    for server in fleet.servers:
        server.open_gate("resumed")
    for reader in resumed:
        ended = await reader.until_ended(30)
        assert (ended["status"], ended["reason"]) == ("completed", "stop")
        assert reader.ledger.received == len("after all")
    assert len(runs) == RUNS and len(resumed) == READERS
    assert not breaches_of_rest(fleet.database)


async def _follow(
    fleet: Fleet, here: Client, others: list[Client], begun: list[Reader]
) -> list[Reader]:
    """Start the runs, or take those that there are, and have a thousand readers elsewhere."""
    if not begun:
        steps = [{"text": "seen "}, {"gate": "resumed"}, {"text": "after all"}, {"finish": "stop"}]
        begun = [
            await here.send(await here.new_conversation(), script(*steps)) for _ in range(RUNS)
        ]
        for reader in begun:
            await reader.until_received(5)
        return begun
    limit = asyncio.Semaphore(50)

    async def follow(number: int) -> Reader:
        async with limit:
            client = others[number % len(others)]
            reader = await client.follow(begun[number % len(begun)].ledger.run_id)
        await reader.until_received(5, 30)
        return reader

    return list(await asyncio.gather(*(follow(number) for number in range(READERS))))


@pytest.mark.redis
async def test_what_redis_lost_of_notices_is_made_good_by_the_revision(
    postgresql: PostgreSQL, redis: RedisServer
) -> None:
    fleet = await _start("redis", postgresql.new(), redis, workers=2, poll_ms=100)
    try:
        await eventually(fleet.proven, 15)
        here, there = fleet.clients
        socket = await Socket.open(there)

        async def is_told() -> bool:
            await here.new_conversation()
            return bool(socket.messages)

        # Nothing is said to nobody, and who has just come is seen with the next poll.
        await eventually(is_told, 10, "nothing is told", every_seconds=0.2)
        steps = [{"text": "one "}, {"gate": "go"}, {"text": "two"}, {"finish": "stop"}]
        local = await here.send(await here.new_conversation(), script(*steps))
        told = await socket.heard(5, type="run.started", run_id=local.ledger.run_id)
        redis.ask("FLUSHALL")
        redis.stop()
        later = await Socket.open(there)  # carries replies, Redis or not
        remote = await later.follow(local.ledger.run_id)
        missed = await here.new_conversation()
        fleet.servers[0].open_gate("go")
        assert (await local.until_ended(5))["status"] == "completed"
        await later.ended(local.ledger.run_id, 5)
        assert remote.received == len("one two")
        await socket.say(type="ping", ref="after")
        pong = await socket.heard(5, type="pong", ref="after")
        assert pong["revision"] > told["revision"], "a page refetches its list then"
        assert not [m for m in socket.messages if m.get("conversation_id") == missed]
        readiness = await there.get("/readyz")
        wrong = [name for name, right in readiness.json()["checks"].items() if not right]
        assert wrong == ["durable"], "the private PostgreSQL runs without fsync"
        assert readiness.json()["waking"] == {"by": "redis", "proven": False}
        redis.start()
        await eventually(fleet.proven, 35, "Redis is back, and nobody says so")
        again = await here.new_conversation()
        await socket.heard(5, type="conversation.created", conversation_id=again)
        for server in fleet.servers:
            assert not server.errors(), server.errors()
    finally:
        redis.stop()
        redis.start()
        for client in fleet.clients:
            await client.discard()
        for server in fleet.servers:
            server.discard()


async def _start(
    by: str,
    database: str,
    redis: RedisServer | None,
    *,
    workers: int = WORKERS,
    poll_ms: int = 30_000,
) -> Fleet:
    env = {
        "STREAMING_HEARTBEAT_SECONDS": "5",
        "STREAMING_ON_WORKER_LOSS": "continue",
        # With polls so seldom nothing but a wake shows a reader elsewhere anything.
        "STREAMING_POLL_INTERVAL_MS": str(poll_ms),
        "REDIS_URL": redis.url if redis else "",
        "DATABASE_POOL_SIZE": str(POOL),
    }
    first = Server(kind="uvicorn", database=database, env=env)
    shared = {
        name: first.environment()[name]
        for name in ("STREAMING_RUN_DIRECTORY", "CHAT_SCRIPTED_GATES")
    }
    more = [Server(kind="uvicorn", database=database, env=env | shared) for _ in range(workers - 1)]
    servers = [first, *more]
    await asyncio.gather(*(server.start() for server in servers))
    client = await Client.sign_in(first)
    await client.new_conversation()  # the first unsafe request makes the guest
    return Fleet(by, servers, [client, *(client.at(server) for server in more)], redis)
