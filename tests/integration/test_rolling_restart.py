"""Every worker restarted in turn behind nginx, under load: no reply loses anything, each ends."""

import asyncio
import signal

from tests.integration.client import Client
from tests.integration.databases import WORKERS, count
from tests.integration.fleet import Servers
from tests.integration.law import breaches_of_rest
from tests.integration.persistent import talk
from tests.integration.proxy import Nginx
from tests.integration.servers import Server, eventually, is_ready

ENV = {"STREAMING_DRAIN_SECONDS": "10"}
PEOPLE = 6


async def test_a_rolling_restart_loses_no_character_and_no_end(
    servers: Servers, database: str
) -> None:
    first = servers.prepare(database=database, env=ENV)
    shared = {"STREAMING_RUN_DIRECTORY": first.environment()["STREAMING_RUN_DIRECTORY"]}
    second = servers.prepare(database=database, env=ENV | shared)
    await asyncio.gather(first.start(), second.start())
    nginx = await Nginx([first.port, second.port]).start()
    people = [await Client.sign_in(nginx) for _ in range(PEOPLE)]
    over = asyncio.Event()

    try:
        talks = [asyncio.create_task(talk(client, over)) for client in people]
        for worker in (first, second):
            await asyncio.sleep(0.5)  # into the replies that are in flight by now
            await _restart(worker)
        over.set()
        told = [one for talked in await asyncio.gather(*talks) for one in talked]
    finally:
        for client in people:
            await client.discard()
        nginx.discard()
    assert [one for one in told if not one.whole] == []
    assert len(told) >= PEOPLE * 2
    # Refused is who comes in the tenth of a second in which a worker that must end still listens.
    refusals = [refusal for one in told for refusal in one.refusals]
    assert len(refusals) <= PEOPLE * 2, refusals
    assert not breaches_of_rest(database)
    assert count(database, WORKERS) == 2
    for worker in (first, second):
        assert not worker.errors(), worker.errors()


async def _restart(worker: Server) -> None:
    """What install.sh does with each: end it, start it, wait until it is ready."""
    assert await worker.terminate() in (0, -signal.SIGTERM)
    worker.spawn()
    await eventually(lambda: is_ready(worker), 30, worker.log)
