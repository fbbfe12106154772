"""Workers under gunicorn as `deploy/gunicorn.conf.py` sets it: fork, recycling, end."""

import asyncio
import re

import pytest

from tests.integration.client import Client
from tests.integration.databases import WORKERS, PostgreSQL, count, rows
from tests.integration.fleet import Servers
from tests.integration.law import breaches_of_reading, breaches_of_rest
from tests.integration.persistent import Told, ask
from tests.integration.scripts import script
from tests.integration.servers import eventually

TALK = [{"repeat": 30, "text": "rope ", "pause_ms": 20}, {"finish": "stop"}]


@pytest.mark.parametrize("preload", [False, True], ids=["forked first", "preloaded"])
@pytest.mark.postgresql
async def test_workers_share_nothing_but_the_port(
    servers: Servers, postgresql: PostgreSQL, preload: bool
) -> None:
    arguments = "--workers 2" + (" --preload" if preload else "")
    server = servers.prepare("gunicorn", postgresql.new(), env={"GUNICORN_CMD_ARGS": arguments})
    await server.start()
    await eventually(lambda: count(server.database, WORKERS) == 2, 20, "not two workers")
    clients = [await servers.client(server) for _ in range(4)]
    told = await asyncio.gather(*(ask(client, *TALK) for client in clients))
    assert all(one.whole for one in told), told
    assert await server.terminate() == 0
    assert count(server.database, WORKERS) == 0
    assert not server.errors(), server.errors()


async def test_recycled_workers_cut_no_reply(servers: Servers) -> None:
    recycling = "--workers 2 --max-requests 10 --max-requests-jitter 10"
    env = {"GUNICORN_CMD_ARGS": recycling, "STREAMING_DRAIN_SECONDS": "10"}
    server = await servers.start("gunicorn", env=env)
    clients = [await servers.client(server) for _ in range(5)]

    def recycled() -> int:
        return len(re.findall(r"Booting worker", server.log())) - 2

    async def talk(client: Client) -> list[Told]:
        told: list[Told] = []
        # A worker that is recycled finishes its replies first: the next one may be long in coming.
        while len(told) < 4 or (recycled() < 2 and len(told) < 40):
            told.append(await ask(client, *TALK))
        return told

    told = [one for talked in await asyncio.gather(*map(talk, clients)) for one in talked]
    assert [one for one in told if not one.whole] == []
    assert recycled() >= 2, "nobody was recycled"
    assert not breaches_of_rest(server.database)
    assert not server.errors(), server.errors()


async def test_the_parent_waits_for_what_a_drain_may_take(servers: Servers) -> None:
    env = {"GUNICORN_CMD_ARGS": "--workers 2", "STREAMING_DRAIN_SECONDS": "8"}
    server = await servers.start("gunicorn", env=env)
    client = await servers.client(server)
    conversation = await client.new_conversation()
    steps = [{"text": "before "}, {"gate": "end"}, {"text": "during"}, {"finish": "stop"}]
    reader = await client.send(conversation, script(*steps))
    await reader.until_received(7)
    server.term()
    draining = f"SELECT id FROM {WORKERS} WHERE draining"
    await eventually(lambda: rows(server.database, draining), 5, server.log)
    server.open_gate("end")
    await reader.until_ended(5)
    assert await server.exited(10) == 0
    await server.restart()
    message = await client.settled(conversation, reader.ledger.run_id)
    assert message["content"] == "before during"
    assert not breaches_of_reading(message, [reader])
    assert not breaches_of_rest(server.database)
    assert not server.errors(), server.errors()
