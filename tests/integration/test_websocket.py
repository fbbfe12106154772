"""The same events over a WebSocket, many runs on one socket, on uvicorn and daphne."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from websockets.exceptions import InvalidStatus

from tests.integration.client import Client, new_id
from tests.integration.databases import SQLite
from tests.integration.fleet import Servers
from tests.integration.ledger import Json
from tests.integration.scripts import script
from tests.integration.servers import Server
from tests.integration.socket_client import Socket

ENV = {"STREAMING_DISCONNECT_GRACE_SECONDS": "0", "STREAMING_HEARTBEAT_SECONDS": "0.3"}


@pytest.fixture(scope="module", params=["uvicorn", "uvicorn-asyncio", "daphne"])
def server(request: pytest.FixtureRequest, sqlite: SQLite) -> Iterator[Server]:
    found = Server(kind=request.param, database=sqlite.new(), env=ENV)
    asyncio.run(found.start())
    yield found
    found.discard()


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Client]:
    mark = server.mark()
    found = await Client.sign_in(server)
    await found.new_conversation()  # the first unsafe request makes the guest
    yield found
    await found.discard()
    assert not server.errors(mark), server.errors(mark)


@pytest.fixture
async def ws(client: Client) -> AsyncIterator[Socket]:
    found = await Socket.open(client)
    yield found
    await found.discard()


async def send(ws: Socket, conversation: str, *steps: Json, **fields: object) -> str:
    """Send over the socket, wait until it is accepted, and give the run's id."""
    ref = new_id()
    await ws.say(
        type="send", ref=ref, conversation_id=conversation, content=script(*steps), **fields
    )
    accepted = await ws.heard(type="accepted", ref=ref)
    return str(accepted["run_id"])


async def test_send_is_accepted_before_started_and_streams_to_its_end(
    client: Client, ws: Socket
) -> None:
    conversation = await client.new_conversation()
    steps = [{"repeat": 20, "text": "word ", "pause_ms": 2}, {"finish": "stop"}]
    reply_id = new_id()
    run_id = await send(ws, conversation, *steps, reply_id=reply_id)
    assert run_id == reply_id
    await ws.ended(run_id)
    kinds = [m["type"] for m in ws.messages if m.get("run_id") == run_id and "." not in m["type"]]
    assert kinds[:2] == ["accepted", "started"]
    assert kinds[-1] == "ended"
    message = await client.settled(conversation, run_id)
    assert message["content"] == "word " * 20
    assert not ws.ledgers[run_id].breaches(message)


async def test_a_run_begun_over_http_is_followed_from_a_cursor(client: Client, ws: Socket) -> None:
    conversation = await client.new_conversation()
    gate = new_id()
    steps = [{"text": "before "}, {"gate": gate}, {"text": "after"}, {"finish": "stop"}]
    reader = await client.send(conversation, script(*steps))
    await reader.until_received(7)
    ledger = await ws.follow(reader.ledger.run_id, reader.ledger.cursor)
    await ws.heard(type="started", run_id=reader.ledger.run_id)
    client.server.open_gate(gate)
    await ws.ended(reader.ledger.run_id)
    assert ledger.text == "after"
    message = await client.settled(conversation, reader.ledger.run_id)
    assert not ledger.breaches(message)


async def test_following_again_starts_again_at_after(client: Client, ws: Socket) -> None:
    conversation = await client.new_conversation()
    run_id = await send(ws, conversation, {"text": "whole"}, {"finish": "stop"})
    await ws.ended(run_id)
    ws.messages.clear()
    ledger = await ws.follow(run_id, "1-2")
    await ws.ended(run_id)
    assert ledger.text == "ole"
    assert not ledger.faults


async def test_many_runs_share_one_socket(client: Client, ws: Socket) -> None:
    steps = [{"repeat": 100, "text": "word ", "pause_ms": 5}, {"finish": "stop"}]
    conversations = [await client.new_conversation() for _ in range(12)]
    runs = [await send(ws, conversation, *steps) for conversation in conversations]
    for conversation, run_id in zip(conversations, runs, strict=True):
        await ws.ended(run_id)
        message = await client.settled(conversation, run_id)
        assert message["content"] == "word " * 100
        assert not ws.ledgers[run_id].breaches(message)


async def test_stop_over_the_socket_ends_the_run(client: Client, ws: Socket) -> None:
    conversation = await client.new_conversation()
    run_id = await send(ws, conversation, {"text": "kept"}, {"stall": True})
    await ws.heard(type="delta", run_id=run_id)
    await ws.say(type="stop", run_id=run_id)
    ended = await ws.ended(run_id, 3)
    assert (ended["status"], ended["reason"]) == ("stopped", "user")


async def test_unfollow_ends_the_events_but_not_the_run(client: Client, ws: Socket) -> None:
    conversation = await client.new_conversation()
    gate = new_id()
    steps = [{"text": "one "}, {"gate": gate}, {"text": "two"}, {"finish": "stop"}]
    run_id = await send(ws, conversation, *steps)
    await ws.heard(type="delta", run_id=run_id)
    await ws.say(type="unfollow", run_id=run_id)
    await ws.say(type="ping")
    await ws.heard(type="pong")
    client.server.open_gate(gate)
    message = await client.settled(conversation, run_id)
    assert message["content"] == "one two"
    await ws.say(type="ping")
    assert ws.ledgers[run_id].text == "one "
    assert not [m for m in ws.messages if m["type"] == "ended"]


@pytest.mark.parametrize("way", ["close", "abort"])
async def test_the_socket_was_the_last_reader_under_policy_stop(
    client: Client, ws: Socket, way: str
) -> None:
    conversation = await client.new_conversation()
    run_id = await send(ws, conversation, {"text": "kept"}, {"stall": True}, on_disconnect="stop")
    await ws.heard(type="delta", run_id=run_id)
    if way == "close":
        await ws.connection.close()
    else:
        await ws.discard()
    message = await client.settled(conversation, run_id, 5)
    assert (message["status"], message["reason"]) == ("interrupted", "client_disconnected")
    assert message["content"] == "kept"


async def test_a_socket_that_goes_away_leaves_the_run_alone_under_policy_continue(
    client: Client, ws: Socket
) -> None:
    conversation = await client.new_conversation()
    gate = new_id()
    steps = [{"text": "one "}, {"gate": gate}, {"text": "two"}, {"finish": "stop"}]
    run_id = await send(ws, conversation, *steps)
    await ws.heard(type="delta", run_id=run_id)
    await ws.discard()
    client.server.open_gate(gate)
    message = await client.settled(conversation, run_id)
    assert (message["status"], message["content"]) == ("completed", "one two")


async def test_a_second_send_of_the_same_reply_attaches(client: Client, ws: Socket) -> None:
    conversation = await client.new_conversation()
    ids = {"id": new_id(), "reply_id": new_id()}
    steps = [{"text": "once"}, {"finish": "stop"}]
    first = await send(ws, conversation, *steps, **ids)
    await ws.ended(first)
    second = await send(ws, conversation, *steps, **ids)
    assert first == second
    replies = [m for m in await client.messages(conversation) if m["role"] == "assistant"]
    assert len(replies) == 1


async def test_errors_carry_the_ref_and_the_socket_stays(client: Client, ws: Socket) -> None:
    wrong: list[tuple[str, dict[str, object]]] = [
        ("not_found", {"type": "follow", "ref": "a", "run_id": new_id()}),
        ("not_found", {"type": "stop", "ref": "b", "run_id": new_id()}),
        (
            "not_found",
            {"type": "send", "ref": "c", "conversation_id": new_id(), "content": "hello"},
        ),
    ]
    for code, message in wrong:
        await ws.say(**message)
        error = await ws.heard(type="error", ref=message["ref"])
        assert error["error"]["code"] == code, error
    await ws.say(type="ping")
    await ws.heard(type="pong")


async def test_a_second_start_in_the_same_conversation_names_the_run_in_flight(
    client: Client, ws: Socket
) -> None:
    conversation = await client.new_conversation()
    run_id = await send(ws, conversation, {"stall": True})
    await ws.say(type="send", ref="again", conversation_id=conversation, content="hello")
    error = await ws.heard(type="error", ref="again")
    assert error["error"]["code"] == "reply_in_progress"
    assert error["error"]["run_id"] == run_id
    await ws.say(type="stop", run_id=run_id)
    await ws.ended(run_id)


async def test_nobody_signed_in_is_closed_with_4401(server: Server) -> None:
    code = await _refusal(Client(server))
    assert code in (4401, 401, 403), code


async def test_another_origin_is_refused(client: Client) -> None:
    code = await _refusal(client, Origin="http://evil.example")
    assert code in (4403, 403), code


async def test_the_socket_is_closed_with_1012_when_the_server_restarts(servers: Servers) -> None:
    server = await servers.start(env=ENV)
    client = await servers.client(server)
    conversation = await client.new_conversation()
    ws = await Socket.open(client)
    run_id = await send(ws, conversation, {"text": "kept"}, {"stall": True})
    await ws.heard(type="delta", run_id=run_id)
    server.term()
    assert await ws.until_closed() == 1012
    await server.exited()
    assert not server.errors(), server.errors()
    await server.restart()
    again = await Socket.open(client)
    ledger = await again.follow(run_id, ws.ledgers[run_id].cursor)
    ended = await again.ended(run_id)
    assert (ended["status"], ended["reason"]) == ("interrupted", "shutdown")
    message = await client.settled(conversation, run_id)
    assert not ledger.breaches(message)
    await ws.discard()
    await again.discard()


async def test_daphne_sends_sockets_away_when_its_drain_is_over(servers: Servers) -> None:
    server = await servers.start("daphne", env=ENV)
    client = await servers.client(server)
    conversation = await client.new_conversation()
    ws = await Socket.open(client)
    reads_nothing = await Socket.open(client)
    run_id = await send(ws, conversation, {"text": "kept"}, {"stall": True})
    await ws.heard(type="delta", run_id=run_id)
    server.term()
    assert await reads_nothing.until_closed() == 4012
    assert await ws.until_closed() == 4012
    ended = await ws.ended(run_id)
    assert (ended["status"], ended["reason"]) == ("interrupted", "shutdown")
    await server.exited()
    assert not server.errors(), server.errors()
    for socket in (ws, reads_nothing):
        await socket.discard()


async def test_an_idle_socket_is_closed_with_4408(servers: Servers) -> None:
    server = await servers.start(env={"STREAMING_IDLE_SECONDS": "1"})
    client = await servers.client(server)
    await client.new_conversation()
    ws = await Socket.open(client)
    assert await ws.until_closed(10) == 4408
    await ws.discard()


async def _refusal(client: Client, **headers: str) -> int:
    """Open a socket that is to be refused: at the handshake, or right after it."""
    try:
        ws = await Socket.open(client, **headers)
    except InvalidStatus as refused:
        return refused.response.status_code
    try:
        return await ws.until_closed()
    finally:
        await ws.discard()
