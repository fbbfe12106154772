"""`kill -9` in mid-reply: what anybody saw is stored, and the reply ends."""

import asyncio

import pytest

from tests.integration.client import Client, Connection, Reader, Refused, encode, new_id
from tests.integration.databases import MESSAGES, RUNS, WORKERS, PostgreSQL, count, rows
from tests.integration.fleet import Servers
from tests.integration.law import breaches_of_reading, breaches_of_rest
from tests.integration.scripts import script
from tests.integration.servers import eventually, manage

SETTLED_AFTER_RESTART_SECONDS = 3.0
SETTLED_BY_ANOTHER_SECONDS = 20.0
STEPS = [{"repeat": 4000, "text": "word ", "pause_ms": 2}, {"finish": "stop"}]


@pytest.mark.parametrize("kind", ["uvicorn", "daphne"])
async def test_restart_after_kill_gives_the_reply_its_outcome_and_all_text(
    servers: Servers, kind: str, database: str
) -> None:
    server = await servers.start(kind, database)
    client = await servers.client(server)
    conversation, run_id = await _three_readers(client)
    server.kill()
    await server.restart()
    message = await client.settled(conversation, run_id, SETTLED_AFTER_RESTART_SECONDS)
    assert (message["status"], message["reason"]) == ("interrupted", "worker_lost")
    assert message["retryable"] is True
    assert not breaches_of_reading(message, client.readers)
    again = await client.follow(run_id)
    await again.until_ended()
    assert not breaches_of_reading(message, client.readers)
    await eventually(lambda: not breaches_of_rest(database), 3, "rows in flight are left")
    await eventually(lambda: count(database, WORKERS) == 1, 3, "the dead worker's row is left")


async def test_another_worker_on_the_same_host_takes_over(servers: Servers, database: str) -> None:
    first = await servers.start("uvicorn", database)
    run_directory = first.environment()["STREAMING_RUN_DIRECTORY"]
    second = await servers.start(
        "uvicorn", database, env={"STREAMING_RUN_DIRECTORY": run_directory}
    )
    client = await servers.client(first)
    conversation, run_id = await _three_readers(client)
    elsewhere = client.at(second)
    follower = await elsewhere.follow(run_id)
    await follower.until_received(5)
    first.kill()
    ended = await follower.until_ended(SETTLED_BY_ANOTHER_SECONDS)
    assert (ended["status"], ended["reason"]) == ("interrupted", "worker_lost")
    message = await elsewhere.settled(conversation, run_id, 1)
    assert not breaches_of_reading(message, [*client.readers, follower])
    await elsewhere.discard()
    assert not second.errors(), second.errors()


async def test_another_host_takes_over_when_the_lease_is_over(
    servers: Servers, postgresql: PostgreSQL
) -> None:
    database = postgresql.new()
    lease = {"STREAMING_LEASE_SECONDS": "3"}
    first = await servers.start("uvicorn", database, env=lease)
    second = await servers.start("uvicorn", database, env=lease)  # another run directory
    client = await servers.client(first)
    conversation, run_id = await _three_readers(client)
    first.kill()
    message = await client.at(second).settled(conversation, run_id, SETTLED_BY_ANOTHER_SECONDS)
    assert (message["status"], message["reason"]) == ("interrupted", "worker_lost")
    assert not breaches_of_reading(message, client.readers)


async def test_a_stop_before_the_crash_wins(servers: Servers, postgresql: PostgreSQL) -> None:
    # Not on SQLite: a process stopped in mid-commit keeps the file's lock.
    server = await servers.start(database=postgresql.new())
    other = await servers.start(database=server.database)
    client = await servers.client(server)
    conversation = await client.new_conversation()
    reader = await client.send(conversation, script({"text": "kept"}, {"stall": True}))
    await reader.until_received(4)
    server.pause()
    answer = await client.at(other).stop(reader.ledger.run_id)
    assert answer.status == 202, (answer.status, answer.body)
    server.kill()
    await server.restart()
    run_id = reader.ledger.run_id
    message = await client.settled(conversation, run_id, SETTLED_AFTER_RESTART_SECONDS)
    assert (message["status"], message["reason"]) == ("stopped", "user")
    assert not breaches_of_reading(message, client.readers)


def test_migrate_shell_and_check_register_no_worker(servers: Servers) -> None:
    server = servers.prepare()
    env = server.environment()
    manage("migrate", env=env)
    manage("shell", "-c", "import chatproject.asgi, streaming.workers", env=env)
    manage("check", env=env)
    assert count(server.database, WORKERS) == 0


async def test_the_reloaders_parent_registers_no_worker(servers: Servers) -> None:
    server = await servers.start("runserver")
    client = await servers.client(server)
    await client.new_conversation()
    await eventually(
        lambda: count(server.database, WORKERS) == 1, 5, "the server has no worker row"
    )
    pids = {pid for (pid,) in rows(server.database, f"SELECT pid FROM {WORKERS}")}
    assert server.pid not in pids, "the reloader's parent is not a worker"


async def test_starts_cut_within_20_ms_leave_no_run_without_a_producer(
    servers: Servers, database: str
) -> None:
    server = await servers.start("uvicorn", database)
    client = await servers.client(server)
    conversations = await _conversations(client, 200)
    content = script({"text": "all of it"}, {"finish": "stop"})
    for number, conversation in enumerate(conversations):
        await _cut_a_start(client, conversation, content, number * 0.0001)
    await _each_reply_gets_its_outcome(database)
    assert not server.errors(), server.errors()


async def test_starts_cut_by_a_kill_leave_no_run_without_a_producer(
    servers: Servers, database: str
) -> None:
    server = await servers.start("uvicorn", database)
    client = await servers.client(server)
    conversations = await _conversations(client, 30)
    sends = [asyncio.create_task(_start(client, c)) for c in conversations]
    await eventually(lambda: count(database, RUNS) >= 5, 10, "no run began")
    server.kill()
    await asyncio.gather(*sends)
    await server.restart()
    await _each_reply_gets_its_outcome(database)


async def _conversations(client: Client, number: int) -> list[str]:
    first = await client.new_conversation()  # makes the guest, before others come at once
    return [first, *await asyncio.gather(*(client.new_conversation() for _ in range(number - 1)))]


async def _three_readers(client: Client) -> tuple[str, str]:
    """Start a long reply with three readers who all have text of it."""
    conversation = await client.new_conversation()
    first = await client.send(conversation, script(*STEPS))
    await first.until_received(200)
    others: list[Reader] = [await client.follow(first.ledger.run_id) for _ in range(2)]
    for reader in others:
        await reader.until_received(300)
    return conversation, first.ledger.run_id


async def _start(client: Client, conversation: str) -> None:
    try:
        reader = await client.send(conversation, script({"stall": True}))
    except (Refused, OSError):
        return
    await reader.until_closed()


async def _cut_a_start(client: Client, conversation: str, content: str, seconds: float) -> None:
    """Send a start and reset the connection within 20 ms."""
    connection = await Connection.open(client.server.port)
    cookie = "; ".join(f"{key}={value}" for key, value in client.cookies.items())
    headers = {
        "Cookie": cookie,
        "X-CSRFToken": client.cookies["csrftoken"],
        "Content-Type": "application/json",
        "Accept": "text/event-stream",
    }
    body = encode({"id": new_id(), "reply_id": new_id(), "content": content})
    connection.send("POST", f"/api/conversations/{conversation}/messages", headers, body)
    await asyncio.sleep(seconds)
    connection.reset()


async def _each_reply_gets_its_outcome(database: str) -> None:
    """Wait until nothing is in flight; a cut start may still begin after the client has left."""

    def in_flight() -> list[tuple[int]]:
        running = f"SELECT COUNT(*) FROM {MESSAGES} WHERE status = 'running'"
        return rows(database, f"{running} UNION ALL SELECT COUNT(*) FROM {RUNS}")

    await eventually(
        lambda: in_flight() == [(0,), (0,)],
        10,
        lambda: f"replies without an outcome, runs without a producer: {in_flight()}",
    )
