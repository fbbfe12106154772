"""What a worker that was told to end says to those who still reach it."""

from uuid import UUID

from tests.integration.client import Client, Connection, Response, encode
from tests.integration.databases import MESSAGES, rows, until_draining
from tests.integration.fleet import Servers
from tests.integration.law import breaches_of_reading
from tests.integration.scripts import script
from tests.integration.servers import Server

ENV = {"STREAMING_DRAIN_SECONDS": "8"}


async def test_readiness_and_starts_are_503_while_a_reply_goes_on(servers: Servers) -> None:
    server = await servers.start(env=ENV)
    client = await servers.client(server)
    conversation, other = [await client.new_conversation() for _ in range(2)]
    steps = [{"text": "before "}, {"gate": "end"}, {"text": "during"}, {"finish": "stop"}]
    reader = await client.send(conversation, script(*steps))
    await reader.until_received(7)
    # It does not listen any more then; who was about to ask has still to be answered.
    start = await _half_asked(client, "POST", f"/api/conversations/{other}/messages")
    ready = await _half_asked(client, "GET", "/readyz")
    server.term()
    await until_draining(server)
    refused = await _asked(start)
    assert (refused.status, refused.code) == (503, "draining")
    assert int(refused.headers["retry-after"]) > 0
    unready = await _asked(ready)
    assert unready.status == 503
    assert unready.json()["checks"]["not_draining"] is False
    server.open_gate("end")
    await reader.until_ended(5)
    assert reader.ledger.text == "before during"
    await server.exited(10)
    assert len(_written(server, conversation)) == 2
    assert _written(server, other) == [], "what was refused was written all the same"
    assert not server.errors(), server.errors()


async def test_readers_of_other_workers_replies_are_sent_away_and_go_on_elsewhere(
    servers: Servers,
) -> None:
    first = await servers.start(env=ENV)
    shared = {"STREAMING_RUN_DIRECTORY": first.environment()["STREAMING_RUN_DIRECTORY"]}
    second = await servers.start(database=first.database, env=ENV | shared)
    here = await servers.client(first)
    conversation = await here.new_conversation()
    there = here.at(second)
    servers.clients.append(there)
    steps = [{"text": "one "}, {"gate": "moved"}, {"text": "two"}, {"finish": "stop"}]
    at_source = await there.send(conversation, script(*steps))
    follower = await here.follow(at_source.ledger.run_id)
    await follower.until_received(4)
    first.term()
    await follower.until_closed(5)
    assert follower.read_whole, "the stream was cut, not closed"
    assert follower.ended is None
    await first.exited(10)
    moved = await there.follow(at_source.ledger.run_id, follower.ledger.cursor)
    second.open_gate("moved")
    await moved.until_ended(5)
    message = await there.settled(conversation, at_source.ledger.run_id)
    assert (message["status"], message["content"]) == ("completed", "one two")
    assert not breaches_of_reading(message, [at_source, follower, moved])
    assert not first.errors() + second.errors(), first.errors() + second.errors()


BODY = encode({"content": script({"text": "never said"}, {"finish": "stop"})})


async def _half_asked(client: Client, method: str, path: str) -> Connection:
    """Send a request but for its last byte, once the server has begun to read its body."""
    connection = await Connection.open(client.server.port)
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Cookie: " + "; ".join(f"{key}={value}" for key, value in client.cookies.items()),
        f"X-CSRFToken: {client.cookies['csrftoken']}",
        "Content-Type: application/json",
        f"Content-Length: {len(BODY)}",
        "Expect: 100-continue",
    ]
    connection.writer.write("\r\n".join([*lines, "", ""]).encode())
    await connection.read_head()
    assert connection.status == 100
    connection.writer.write(BODY[:-1])
    return connection


async def _asked(connection: Connection) -> Response:
    """Send the last byte and read the answer."""
    connection.writer.write(BODY[-1:])
    await connection.read_head()
    body = b""
    while piece := await connection.read_some():
        body += piece
    connection.finish()
    return Response(connection.status, connection.headers, body)


def _written(server: Server, conversation: str) -> list[tuple[object, ...]]:
    key = UUID(conversation).hex
    return rows(server.database, f"SELECT id FROM {MESSAGES} WHERE conversation_id = '{key}'")
