"""A thousand clients vanish at once: all is settled in seconds and nothing is left behind."""

import asyncio
import contextlib
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from tests.integration.client import Client, Reader, metrics
from tests.integration.databases import MESSAGES, RUNS, count, rows
from tests.integration.fleet import Servers
from tests.integration.law import breaches_of_rest
from tests.integration.scripts import script
from tests.integration.servers import Server, eventually

CLIENTS = int(os.environ.get("VANISH_CLIENTS", "1000"))
PEOPLE = 20
"""Who the clients are: a start looks at all that its person has in flight."""
RUNS_LATER = int(os.environ.get("VANISH_RUNS", "100"))
"""Runs that the clients share in the rounds after the first, where each has one of its own."""
ROUNDS = 5
AT_ONCE = 10
"""Requests in flight: how many wait for the server is not what is asked here, but who vanishes."""
SETTLED_SECONDS = 5.0
SLACK = 2
GROWTH = 1.05
STEPS = [{"text": "seen "}, {"repeat": 10_000, "text": "tick ", "pause_ms": 4000}]
ENV = {
    "STREAMING_DISCONNECT_GRACE_SECONDS": "0",
    "STREAMING_RUNS_PER_WORKER": "0",
}


@dataclass(frozen=True)
class Usage:
    """What an idle server holds."""

    tasks: int
    threads: int
    files: int
    pool_out: int
    """Connections of the database pool that are not available."""
    runs: int
    readers: int


@dataclass(frozen=True)
class Conversation:
    """Whose it is, and its id."""

    client: Client
    id: str


@pytest.mark.timeout(600)
async def test_a_thousand_vanish_at_once_and_five_rounds_leave_nothing_behind(
    servers: Servers, database: str
) -> None:
    server = await servers.start("uvicorn", database, env=ENV, fresh=True)
    people = [await servers.client(server) for _ in range(PEOPLE)]
    conversations = await _conversations(people, CLIENTS)
    await _round(conversations[:PEOPLE], PEOPLE)  # makes what is made once: threads, connections
    await _all_settled(server, 0)
    first_idle = await _idle(server)
    resident = []
    started = PEOPLE
    for number in range(1, ROUNDS + 1):
        used = conversations if number == 1 else conversations[:RUNS_LATER]
        started += len(used)
        await _round(used, CLIENTS)
        await _all_settled(server, number)
        await _returns_to(server, first_idle, number)
        resident.append(_resident_kib(server))
    assert resident[4] <= resident[1] * GROWTH, f"resident KiB after each round: {resident}"
    assert not breaches_of_rest(database)
    outcomes = rows(
        database,
        f"SELECT status, reason, COUNT(*) FROM {MESSAGES}"
        " WHERE role = 'assistant' GROUP BY status, reason",
    )
    assert outcomes == [("interrupted", "client_disconnected", started)]
    assert not server.errors(), server.errors()


async def _conversations(people: list[Client], number: int) -> list[Conversation]:
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(client: Client) -> Conversation:
        async with limit:
            return Conversation(client, await client.new_conversation())

    first = [await one(client) for client in people]  # which makes the guests
    more = (one(people[at % len(people)]) for at in range(len(people), number))
    return [*first, *await asyncio.gather(*more)]


async def _round(conversations: list[Conversation], clients: int) -> None:
    """Start runs, let all clients see their first text, then vanish, half by RST."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def start(conversation: Conversation) -> Reader:
        client = conversation.client
        async with limit:
            reader = await client.send(conversation.id, script(*STEPS), on_disconnect="stop")
        await reader.until_received(5, 60)
        return reader

    async def follow(client: Client, run_id: str) -> Reader:
        async with limit:
            reader = await client.follow(run_id)
        await reader.until_received(5, 60)
        return reader

    readers = list(await asyncio.gather(*(start(c) for c in conversations)))
    people = [conversation.client for conversation in conversations]
    runs = [reader.ledger.run_id for reader in readers]
    more = (number % len(runs) for number in range(clients - len(runs)))
    readers += await asyncio.gather(*(follow(people[at], runs[at]) for at in more))
    assert len(readers) == clients
    for number, reader in enumerate(readers):
        (Reader.rst if number % 2 else Reader.fin)(reader)
    for client in people:
        client.readers.clear()


async def _all_settled(server: Server, number: int) -> None:
    await eventually(
        lambda: not count(server.database, RUNS),
        SETTLED_SECONDS,
        lambda: f"round {number}: {count(server.database, RUNS)} runs are not settled",
        every_seconds=0.5,  # each look is a connection, which the database has to fork for
    )


async def _idle(server: Server) -> Usage:
    """Measure once the server has had a moment: two equal measurements in a row."""
    before = await _measure(server)
    for _ in range(50):
        await asyncio.sleep(0.2)
        now = await _measure(server)
        if now == before:
            break
        before = now
    return before


async def _returns_to(server: Server, idle: Usage, number: int) -> None:
    now = idle

    async def is_back() -> bool:
        nonlocal now
        now = await _measure(server)
        wanted, held = asdict(idle), asdict(now)
        return all(held[key] <= wanted[key] + SLACK for key in wanted)

    await eventually(
        is_back,
        15,
        lambda: f"round {number}: idle was {idle}, now {now}",
        every_seconds=0.2,
    )


async def _measure(server: Server) -> Usage:
    values = await metrics(server)
    process = Path(f"/proc/{server.pid}")
    size = int(values.get("holdfast_db_pool_size", 0))
    available = int(values.get("holdfast_db_pool_available", 0))
    return Usage(
        tasks=int(values["holdfast_asyncio_tasks"]),
        threads=len(list((process / "task").iterdir())),
        files=_open_files(process) - size,  # as many as there ever was need of at once
        pool_out=size - available,
        runs=int(values["holdfast_runs_live"]),
        readers=int(values["holdfast_readers"]),
    )


def _open_files(process: Path) -> int:
    """Count descriptors, but for those of SQLite's main file.

    SQLite keeps those of closed connections for the next ones to use, as long as another
    connection of the process is open (https://sqlite.org/src/file/src/os_unix.c, "pUnused"): they
    count the most connections there ever were. Each open connection is counted by its WAL.
    """
    found = 0
    for descriptor in (process / "fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found += not os.readlink(descriptor).endswith(".sqlite3")
    return found


def _resident_kib(server: Server) -> int:
    status = Path(f"/proc/{server.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1])
