"""SIGTERM in mid-reply: readers, drain, outcome, exit; and a file saved under `runserver`."""

import asyncio
import signal
from pathlib import Path

import pytest

from tests.integration.databases import RUNS, WORKERS, count, rows, until_draining
from tests.integration.fleet import Servers
from tests.integration.law import breaches_of_reading, breaches_of_rest
from tests.integration.scripts import script
from tests.integration.servers import Server, copy_of_project, eventually

KINDS = ["uvicorn", "uvicorn-asyncio", "daphne"]


@pytest.mark.parametrize("kind", KINDS)
async def test_sigterm_settles_what_is_left_as_shutdown_with_all_text(
    servers: Servers, kind: str, database: str
) -> None:
    server = await servers.start(kind, database)
    client = await servers.client(server)
    conversation = await client.new_conversation()
    steps = [{"repeat": 100, "text": "word "}, {"stall": True}]
    reader = await client.send(conversation, script(*steps))
    await reader.until_received(500)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    code = await server.terminate()
    seconds = loop.time() - begun
    await reader.until_closed()
    assert code in (0, -signal.SIGTERM), f"exit code {code}"
    assert seconds < 8, f"DRAIN_SECONDS is 1, the process needed {seconds:.1f} s"
    assert not breaches_of_rest(database), "SIGTERM left a run behind"
    assert count(database, WORKERS) == 0, "the worker's row outlives a clean end"
    assert not server.errors(), server.errors()
    await server.restart()
    message = await client.settled(conversation, reader.ledger.run_id, 1)
    assert (message["status"], message["reason"]) == ("interrupted", "shutdown")
    assert message["content"] == "word " * 100
    assert not breaches_of_reading(message, [reader])


@pytest.mark.parametrize("kind", KINDS)
async def test_a_reply_that_ends_during_drain_is_completed(servers: Servers, kind: str) -> None:
    server = await servers.start(kind, env={"STREAMING_DRAIN_SECONDS": "6"})
    client = await servers.client(server)
    conversation = await client.new_conversation()
    steps = [{"text": "before "}, {"gate": "drain"}, {"text": "during"}, {"finish": "stop"}]
    reader = await client.send(conversation, script(*steps))
    await reader.until_received(7)
    server.term()
    await until_draining(server)
    assert server.alive, "the process did not wait for its run"
    server.open_gate("drain")
    await server.exited(8)
    assert not breaches_of_rest(server.database)
    if kind != "daphne":
        await reader.until_closed()
        assert reader.ended, "an SSE reader on uvicorn stays to its ended"
    assert not server.errors(), server.errors()
    await server.restart()
    message = await client.settled(conversation, reader.ledger.run_id, 1)
    assert (message["status"], message["reason"]) == ("completed", "stop")
    assert message["content"] == "before during"
    assert not breaches_of_reading(message, [reader])


@pytest.mark.parametrize("kind", KINDS)
async def test_an_idle_server_ends_at_once(servers: Servers, kind: str) -> None:
    server = await servers.start(kind, env={"STREAMING_DRAIN_SECONDS": "20"})
    loop = asyncio.get_running_loop()
    begun = loop.time()
    code = await server.terminate()
    assert loop.time() - begun < 4, "an idle server does not wait out its drain"
    assert code in (0, -signal.SIGTERM), f"exit code {code}"
    assert count(server.database, WORKERS) == 0
    assert not server.errors(), server.errors()


async def test_two_sigterms_are_one(servers: Servers) -> None:
    server = await servers.start()
    client = await servers.client(server)
    conversation = await client.new_conversation()
    reader = await client.send(conversation, script({"text": "kept"}, {"stall": True}))
    await reader.until_received(4)
    server.term()
    await until_draining(server)
    server.term()
    await server.exited(10)
    assert not breaches_of_rest(server.database)
    await server.restart()
    message = await client.settled(conversation, reader.ledger.run_id, 1)
    assert (message["content"], message["reason"]) == ("kept", "shutdown")


async def test_a_file_saved_under_runserver_ends_the_reply_and_the_reader_resumes(
    servers: Servers, tmp_path: Path
) -> None:
    root = copy_of_project(tmp_path / "project")
    server = await servers.start("runserver", root=root)
    client = await servers.client(server)
    conversation = await client.new_conversation()
    steps = [{"repeat": 4000, "text": "word ", "pause_ms": 5}, {"finish": "stop"}]
    reader = await client.send(conversation, script(*steps))
    await reader.until_received(100)
    before = _workers(server)
    touched = root / "conversations" / "__init__.py"

    def is_closed() -> bool:
        # Django's reloader looks once a second, and knows a file from its first look on.
        touched.touch()
        return reader.closed.is_set()

    await eventually(is_closed, 20, "the process of before lives", every_seconds=0.5)
    await _settled_by_somebody(server, before)
    message = await client.message(conversation, reader.ledger.run_id)
    assert message["status"] == "interrupted", message["status"]
    assert message["reason"] in ("shutdown", "worker_lost")
    assert not breaches_of_reading(message, [reader])
    resumed = await client.follow(reader.ledger.run_id, reader.ledger.cursor)
    await resumed.until_ended(3)
    assert not breaches_of_reading(message, [reader, resumed])


async def _settled_by_somebody(server: Server, before: set[str]) -> None:
    """Wait for the new process, unless the old one settles, then at most 3 s for the outcome."""

    def is_settled() -> bool:
        return count(server.database, RUNS) == 0

    def is_replaced() -> bool:
        return bool(_workers(server) - before)

    async def new_one_answers() -> bool:
        # The old one may still answer while it ends, and cut the next request off.
        await server.wait_healthy(20)
        return is_replaced()

    await eventually(lambda: is_settled() or is_replaced(), 20, "no new process")
    await eventually(is_settled, 3, "the reply goes on without its process")
    await eventually(new_one_answers, 20, "no new process answers")


def _workers(server: Server) -> set[str]:
    return {str(key) for (key,) in rows(server.database, f"SELECT id FROM {WORKERS}")}
