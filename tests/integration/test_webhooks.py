"""Webhooks of real servers: receivers that are slow, and processes that end in mid-delivery."""

import asyncio
import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.integration.client import Client
from tests.integration.databases import insert, rows
from tests.integration.fleet import Servers
from tests.integration.scripts import script
from tests.integration.servers import Server, eventually
from tests.integration.socket_client import Socket
from tests.receiver import Receiver

ENV = {
    "WEBHOOKS_ALLOW_PRIVATE": "1",
    "WEBHOOKS_RETRY_SECONDS": "1",
    "STREAMING_ON_DISCONNECT": "stop",
    "STREAMING_DISCONNECT_GRACE_SECONDS": "0",
}
BEYOND_DAPHNE_S_KILL_SECONDS = 12


def hook(server: Server, url: str) -> None:
    """Write a webhook as the administration does."""
    secret = "whsec_" + base64.b64encode(b"k" * 32).decode()
    insert(
        server.database,
        "holdfast_conversations_webhook",
        url=url,
        description="",
        enabled=True,
        with_content=True,
        secret=secret,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def states(server: Server) -> list[Any]:
    return rows(server.database, "SELECT state, attempts FROM holdfast_conversations_delivery")


async def drop_in_mid_reply(server: Server) -> str:
    """Ask over a WebSocket and leave when the first text is there."""
    client = await Client.sign_in(server)
    conversation = await client.new_conversation()
    socket = await Socket.open(client)
    content = script({"text": "so far"}, {"stall": True})
    await socket.say(type="send", conversation_id=conversation, content=content)
    run_id = (await socket.heard(type="delta"))["run_id"]
    socket.rst()
    await client.discard()
    return str(run_id)


async def delivered_once_by_a_slow_receiver(servers: Servers, kind: str) -> None:
    server = servers.prepare(kind, env=ENV)
    async with Receiver() as receiver:
        receiver.delay_seconds = BEYOND_DAPHNE_S_KILL_SECONDS
        hook(server, receiver.url)
        await server.start()
        run_id = await drop_in_mid_reply(server)
        async with asyncio.timeout(30):
            await receiver.count(1)
        await eventually(
            lambda: states(server) == [("delivered", 1)], 40, lambda: str(states(server))
        )
        [got] = receiver.received
        data = json.loads(got.body)["data"]
        assert (data["run_id"], data["content"]) == (run_id, "so far")
        assert (data["status"], data["reason"]) == ("interrupted", "client_disconnected")
    assert not server.errors(), server.errors()


async def test_a_dropped_socket_s_reply_is_reported_once_however_slow_the_receiver(
    servers: Servers,
) -> None:
    kinds = ("uvicorn", "daphne")
    await asyncio.gather(*(delivered_once_by_a_slow_receiver(servers, kind) for kind in kinds))


@pytest.mark.parametrize("end", ["kill", "terminate"])
async def test_what_a_process_was_delivering_when_it_ended_is_delivered_by_the_next(
    servers: Servers, end: str
) -> None:
    server = servers.prepare(env={**ENV, "WEBHOOKS_TIMEOUT_SECONDS": "6"})
    async with Receiver() as receiver:
        receiver.delay_seconds = 60
        hook(server, receiver.url)
        await server.start()
        await drop_in_mid_reply(server)
        async with asyncio.timeout(30):
            await receiver.count(1)
        if end == "kill":
            server.kill()
        else:
            await server.terminate()
        receiver.delay_seconds = 0
        await server.restart()
        await eventually(
            lambda: states(server)[0][0] == "delivered", 40, lambda: str(states(server))
        )
        ids = {got.headers["webhook-id"] for got in receiver.received}
        assert len(ids) == 1 and len(receiver.received) == 2
    assert not server.errors(), server.errors()
