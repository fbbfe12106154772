"""A reader leaves in every way there is; the text stays, and the run ends as policy says."""

import asyncio
from collections.abc import Callable, Iterator

import pytest

from tests.integration.client import Client, Reader
from tests.integration.databases import SQLite
from tests.integration.fleet import Servers
from tests.integration.law import breaches_of_reading, breaches_of_rest
from tests.integration.scripts import script
from tests.integration.servers import Server, eventually

WAYS: dict[str, Callable[[Reader], None]] = {
    "FIN": Reader.fin,
    "RST": Reader.rst,
    "half-close": Reader.half_close,
}


@pytest.fixture(
    scope="module", params=["uvicorn", "uvicorn-asyncio", "daphne", "runserver"], ids=str
)
def server(request: pytest.FixtureRequest, sqlite: SQLite) -> Iterator[Server]:
    env = {"STREAMING_DISCONNECT_GRACE_SECONDS": "0", "STREAMING_HEARTBEAT_SECONDS": "0.2"}
    found = Server(kind=request.param, database=sqlite.new(), env=env)
    asyncio.run(found.start())
    yield found
    found.discard()


@pytest.mark.parametrize("way", WAYS)
async def test_reply_completes_without_its_reader_under_policy_continue(
    server: Server, way: str
) -> None:
    mark = server.mark()
    client = await Client.sign_in(server)
    conversation = await client.new_conversation()
    gate = f"continue-{way}"
    steps = [{"text": "seen. "}, {"gate": gate}, {"text": "unseen."}, {"finish": "stop"}]
    reader = await client.send(conversation, script(*steps))
    await reader.until_received(6)
    WAYS[way](reader)
    await asyncio.sleep(0.1)  # lets the server notice before the source goes on
    server.open_gate(gate)
    message = await client.settled(conversation, reader.ledger.run_id)
    assert (message["status"], message["reason"]) == ("completed", "stop")
    assert message["content"] == "seen. unseen."
    assert not breaches_of_reading(message, [reader])
    await reader.discard()
    assert not server.errors(mark), server.errors(mark)


@pytest.mark.parametrize("way", WAYS)
async def test_last_reader_ends_the_run_under_policy_stop_and_its_text_stays(
    server: Server, way: str
) -> None:
    mark = server.mark()
    client = await Client.sign_in(server)
    conversation = await client.new_conversation()
    steps = [{"text": "seen."}, {"stall": True}]
    reader = await client.send(conversation, script(*steps), on_disconnect="stop")
    await reader.until_received(5)
    WAYS[way](reader)
    message = await client.settled(conversation, reader.ledger.run_id, 5)
    assert (message["status"], message["reason"]) == ("interrupted", "client_disconnected")
    assert message["content"] == "seen."
    assert not breaches_of_reading(message, [reader])
    await reader.discard()
    await eventually(lambda: not breaches_of_rest(server.database), 2, "a run row is left")
    assert not server.errors(mark), server.errors(mark)


async def test_second_reader_keeps_a_run_of_policy_stop_alive(server: Server) -> None:
    client = await Client.sign_in(server)
    conversation = await client.new_conversation()
    gate = "second-reader"
    steps = [{"text": "one "}, {"gate": gate}, {"text": "two"}, {"finish": "stop"}]
    first = await client.send(conversation, script(*steps), on_disconnect="stop")
    await first.until_received(4)
    second = await client.follow(first.ledger.run_id)
    await second.until_received(4)
    first.fin()
    await asyncio.sleep(0.5)  # longer than the grace of 0 would need
    server.open_gate(gate)
    ended = await second.until_ended()
    assert (ended["status"], ended["reason"]) == ("completed", "stop")
    message = await client.settled(conversation, first.ledger.run_id)
    assert not breaches_of_reading(message, [first, second])
    await client.discard()


async def test_reader_that_stops_reading_delays_nobody_and_can_catch_up(server: Server) -> None:
    client = await Client.sign_in(server)
    conversation = await client.new_conversation()
    steps = [{"repeat": 3000, "text": "0123456789" * 10, "pause_ms": 0}, {"finish": "stop"}]
    slow = await client.send(conversation, script(*steps), small_buffer=True)
    await slow.until_received(100)
    slow.stop_reading()
    brisk = await client.follow(slow.ledger.run_id)
    await brisk.until_ended()
    message = await client.settled(conversation, slow.ledger.run_id)
    assert len(message["content"]) == 300_000
    slow.go_on_reading()
    await slow.until_ended()
    assert not breaches_of_reading(message, [slow, brisk])
    await client.discard()


async def test_reader_that_returns_resumes_exactly_where_it_stopped(server: Server) -> None:
    client = await Client.sign_in(server)
    conversation = await client.new_conversation()
    steps = [{"text": "before "}, {"gate": "return"}, {"text": "after"}, {"finish": "stop"}]
    first = await client.send(conversation, script(*steps))
    await first.until_received(7)
    cursor = first.ledger.cursor
    first.rst()
    by_header = await client.follow(first.ledger.run_id, cursor, by_header=True)
    by_query = await client.follow(first.ledger.run_id, cursor)
    await by_header.until_started()
    server.open_gate("return")
    for reader in (by_header, by_query):
        await reader.until_ended()
        assert reader.ledger.text == "after"
    late = await client.follow(first.ledger.run_id, cursor)
    await late.until_ended()
    assert late.ledger.text == "after", "a settled reply is served from the same URL"
    message = await client.settled(conversation, first.ledger.run_id)
    assert not breaches_of_reading(message, [first, by_header, by_query, late])
    again = await client.request(
        "GET",
        f"/api/runs/{first.ledger.run_id}/events",
        headers={"Last-Event-ID": f"{late.ledger.cursor}.end"},
    )
    assert again.status == 204, "an EventSource that has everything is told to stop"
    await client.discard()


async def test_stop_before_the_first_token_is_kept(server: Server) -> None:
    client = await Client.sign_in(server)
    conversation = await client.new_conversation()
    reader = await client.send(conversation, script({"stall": True}))
    await reader.until_started()
    answer = await client.stop(reader.ledger.run_id)
    assert answer.status in (200, 202), answer.body
    ended = await reader.until_ended()
    assert (ended["status"], ended["reason"]) == ("stopped", "user")
    assert (await client.stop(reader.ledger.run_id)).status == 200, "stop is idempotent"
    await client.discard()


async def test_an_upstream_that_breaks_off_keeps_its_text(server: Server) -> None:
    client = await Client.sign_in(server)
    conversation = await client.new_conversation()
    reader = await client.send(conversation, script({"text": "half"}, {"fail": "upstream_reset"}))
    ended = await reader.until_ended()
    assert (ended["status"], ended["reason"]) == ("failed", "upstream_reset")
    message = await client.settled(conversation, reader.ledger.run_id)
    assert message["content"] == "half"
    assert not breaches_of_reading(message, [reader])
    await client.discard()


async def test_readers_of_every_server_kind_hear_pings_while_the_source_is_silent(
    servers: Servers, server: Server
) -> None:
    client = await Client.sign_in(server)
    conversation = await client.new_conversation()
    reader = await client.send(conversation, script({"stall": True}))
    await reader.until(lambda ledger: sum(e["type"] == "ping" for e in ledger.events) >= 3, 5)
    states = {e["state"] for e in reader.ledger.events if e["type"] == "ping"}
    assert states == {"waiting"}
    await client.stop(reader.ledger.run_id)
    await reader.until_ended()
    await client.discard()
