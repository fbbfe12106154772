"""Limits: what is refused, to whom, with which words, over HTTP and over the socket."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from conversations.accounts.identity import GUESTS_PER_MINUTE
from conversations.limits import rates
from conversations.limits.spending import seconds_to_midnight, spent_today
from conversations.models import Guest, Spending
from streaming import metrics, threads, workers
from streaming.connections import A_FEW
from streaming.consumers import TOO_MANY
from tests.conftest import Client, SetStreaming, Settings
from tests.conversations.chatting import (
    asked,
    converse,
    error_of,
    events,
    messages,
    new_id,
    script,
    send,
)
from tests.conversations.test_routing import hear_until, socket
from tests.waiting import until

STREAM = {"accept": "text/event-stream"}


@pytest.fixture(autouse=True)
def nothing_counted() -> Iterator[None]:
    rates.forget()
    yield
    rates.forget()


def hits(limit: str) -> float:
    return metrics.registry.get_sample_value("holdfast_limits_hit_total", {"limit": limit}) or 0.0


def waiting(text: str = "so far") -> str:
    return script({"text": text}, {"gate": "never"})


async def begin(client: Client, content: str = "", **headers: str) -> Any:
    """Start a reply in a conversation of its own; returns the response."""
    path = f"/api/conversations/{await converse(client)}/messages"
    return await client.ask("POST", path, {"content": content or waiting()}, **headers)


async def close(response: Any) -> None:
    """Leave a stream, as the handler does for a client that is gone."""
    await threads.read(response.close)


async def stop_all(*clients: Client) -> None:
    worker = workers.current()
    for run in list(worker.runs.values()):
        run.stop("user")
    await until(lambda: not worker.runs)


# Tokens of a day


async def test_the_tokens_of_a_day_are_limited_for_each_person(
    alice: Client, bob: Client, set_streaming: SetStreaming
) -> None:
    set_streaming(TOKENS_PER_DAY=100)
    conversation, before = await converse(alice), hits("tokens_per_day")
    await asked(alice, conversation, script({"text": "a"}, {"usage": [60, 39]}))
    run_id = await asked(alice, conversation, script({"text": "a"}, {"usage": [1, 1]}))
    response = await send(alice, conversation, "Hello")
    assert error_of(response) == (429, "token_budget")
    assert 0 < int(response["Retry-After"]) <= 24 * 60 * 60
    assert "midnight" in response.json()["error"]["message"]
    assert hits("tokens_per_day") == before + 1
    await asked(bob, await converse(bob), "Hello")
    # What has begun is attached to, and read, all the same.
    assert (await events(alice, run_id))[-1]["type"] == "ended"


async def test_what_was_spent_stays_spent_when_its_conversation_is_deleted(
    alice: Client, set_streaming: SetStreaming
) -> None:
    set_streaming(TOKENS_PER_DAY=100)
    conversation = await converse(alice)
    await asked(alice, conversation, script({"text": "a"}, {"usage": [60, 40]}))
    assert (await alice.ask("DELETE", f"/api/conversations/{conversation}")).status_code == 204
    assert error_of(await begin(alice)) == (429, "token_budget")


async def test_a_new_day_begins_anew(alice: Client, set_streaming: SetStreaming) -> None:
    set_streaming(TOKENS_PER_DAY=100)
    await asked(alice, await converse(alice), script({"text": "a"}, {"usage": [60, 40]}))
    assert error_of(await begin(alice)) == (429, "token_budget")
    yesterday = timezone.now().date() - timedelta(days=1)
    await threads.write(lambda: Spending.objects.update(day=yesterday))
    await asked(alice, await converse(alice), "Hello")
    assert 0 < seconds_to_midnight() <= 24 * 60 * 60


async def test_tokens_that_no_upstream_counts_are_estimated(alice: Client) -> None:
    question = script({"text": "word " * 300})
    await asked(alice, await converse(alice), question)
    row = await threads.read(Spending.objects.get)
    assert row.replies == 1
    assert row.output_tokens == pytest.approx(500, abs=1)
    assert row.input_tokens >= len(question) / 3


async def test_a_reply_that_is_stopped_costs_what_it_read_and_wrote(alice: Client) -> None:
    await begin(alice)
    await stop_all()
    row = await threads.read(Spending.objects.get)
    assert row.input_tokens > 0 and row.output_tokens > 0


async def test_an_upstream_that_failed_before_it_spoke_costs_nothing(alice: Client) -> None:
    await asked(alice, await converse(alice), script({"fail": "upstream_unreachable"}))
    assert await threads.read(spent_today, alice.user.pk) == 0


async def test_a_continued_reply_is_counted_once(alice: Client) -> None:
    steps = ({"usage": [10, 2]}, {"text": "ab"}, {"fail": "upstream_reset"}, {"text": "cd"})
    conversation = await converse(alice)
    reply_id = await asked(alice, conversation, script(*steps))
    assert await threads.read(spent_today, alice.user.pk) == 12
    cursor = (await messages(alice, conversation))[reply_id]["cursor"]
    response = await alice.ask("POST", f"/api/messages/{reply_id}/continue", {"after": cursor})
    assert response.status_code == 202, response.content
    assert (await events(alice, reply_id))[-1]["status"] == "completed"
    row = await threads.read(Spending.objects.get)
    assert row.replies == 2
    # The second run said nothing of tokens: two letters, and its prompt.
    assert row.output_tokens == 2 + 1
    assert row.input_tokens > 10


async def test_a_guest_has_a_day_too_and_takes_it_along(
    clients: Any, alice: Client, settings: Settings, set_streaming: SetStreaming
) -> None:
    from conversations.accounts import guests

    settings.ALLOW_GUESTS = True
    set_streaming(TOKENS_PER_DAY=100)
    guest = await clients("")
    await asked(guest, await converse(guest), script({"text": "a"}, {"usage": [60, 40]}))
    assert error_of(await begin(guest)) == (429, "token_budget")
    row = await threads.read(Spending.objects.get)
    await threads.write(guests.adopt, row.user_id, alice.user.pk)
    assert await threads.read(spent_today, alice.user.pk) == 100


# Starts from one address


async def test_starts_from_one_address_are_limited_whoever_asks(
    alice: Client, bob: Client, set_streaming: SetStreaming
) -> None:
    set_streaming(STARTS_PER_MINUTE_PER_ADDRESS=2)
    before = hits("starts_per_minute_per_address")
    conversation = await converse(alice)
    ids = {"id": new_id(), "reply_id": new_id()}
    await asked(alice, conversation, "Hello", **ids)
    await asked(bob, await converse(bob), "Hello")
    response = await begin(bob)
    assert error_of(response) == (429, "too_many_requests")
    assert 50 <= int(response["Retry-After"]) <= 61
    assert hits("starts_per_minute_per_address") == before + 1
    # To attach is no start.
    assert (await send(alice, conversation, "Hello", **ids)).status_code == 202


async def test_starts_that_come_at_once_from_one_address_are_limited_alike(
    clients: Callable[[str], Awaitable[Client]], set_streaming: SetStreaming
) -> None:
    set_streaming(STARTS_PER_MINUTE_PER_ADDRESS=2)
    people = [await clients(f"person {number}") for number in range(6)]
    answers = await asyncio.gather(*(begin(one, "Hello") for one in people))
    assert sorted(answer.status_code for answer in answers) == [202, 202, 429, 429, 429, 429]
    await stop_all()


async def test_new_guests_from_one_address_are_limited(
    charlie: Client, alice: Client, settings: Settings, set_streaming: SetStreaming
) -> None:
    settings.ALLOW_GUESTS = True
    set_streaming(STARTS_PER_MINUTE_PER_ADDRESS=1, TRUSTED_PROXIES=1)
    before = hits("guests_per_minute_per_address")
    here = {"x-forwarded-for": "203.0.113.7"}

    async def ask(client: Client, **headers: str) -> Any:
        return await client.ask("POST", f"/api/messages/{new_id()}/regenerate", {}, **headers)

    for _ in range(GUESTS_PER_MINUTE - 2):
        await rates.count("guests", "203.0.113.7", most_per_minute=GUESTS_PER_MINUTE)
    for client in (charlie, Client()):
        assert (await ask(client, **here)).status_code == 404
    refused = await ask(Client(), **here)
    assert error_of(refused) == (429, "too_many_requests")
    assert hits("guests_per_minute_per_address") == before + 1
    assert await threads.read(Guest.objects.count) == 2
    # Who is known already goes on, and other addresses have their own.
    for client in (charlie, alice):
        assert (await ask(client, **here)).status_code == 404
    other = {"x-forwarded-for": "203.0.113.8"}
    assert (await ask(Client(), **other)).status_code == 404
    set_streaming(STARTS_PER_MINUTE_PER_ADDRESS=0, TRUSTED_PROXIES=1)
    assert (await ask(Client(), **here)).status_code == 404


async def test_a_header_that_anybody_can_write_makes_no_other_address(
    alice: Client, bob: Client, set_streaming: SetStreaming
) -> None:
    set_streaming(STARTS_PER_MINUTE_PER_ADDRESS=1)
    await asked(alice, await converse(alice), "Hello")
    first = await begin(alice, "Hello", **{"x-forwarded-for": "203.0.113.1"})
    second = await begin(bob, "Hello", **{"x-forwarded-for": "203.0.113.2"})
    assert first.status_code == 202
    assert error_of(second) == (429, "too_many_requests")


async def test_behind_proxies_each_client_has_an_address_of_its_own(
    alice: Client, set_streaming: SetStreaming
) -> None:
    set_streaming(STARTS_PER_MINUTE_PER_ADDRESS=1, TRUSTED_PROXIES=2)
    # What is left of the places that the proxies wrote is the client's own invention.
    first = {"x-forwarded-for": "198.51.100.7, 203.0.113.1, 10.0.0.1"}
    again = {"x-forwarded-for": "198.51.100.8, 203.0.113.1, 10.0.0.2"}
    other = {"x-forwarded-for": "198.51.100.7, 203.0.113.2, 10.0.0.1"}
    assert (await begin(alice, "Hello", **first)).status_code == 202
    assert error_of(await begin(alice, "Hello", **again)) == (429, "too_many_requests")
    assert (await begin(alice, "Hello", **other)).status_code == 202
    await stop_all()


async def test_the_socket_refuses_a_start_with_the_same_error(
    alice: Client, bob: Client, set_streaming: SetStreaming
) -> None:
    set_streaming(STARTS_PER_MINUTE_PER_ADDRESS=1)
    await asked(alice, await converse(alice), "Hello")
    tab, conversation = socket(bob), await converse(bob)
    tab.scope["client"] = ["127.0.0.1", 40_000]
    await tab.connect(timeout=5)
    question = {"type": "send", "ref": 1, "conversation_id": conversation, "content": "Hello"}
    await tab.send_to(text_data=json.dumps(question))
    frame = (await hear_until(tab, "error"))[-1]
    assert (frame["ref"], frame["error"]["code"]) == (1, "too_many_requests")
    assert frame["error"]["retryable"] and 50 <= frame["error"]["retry_after_seconds"] <= 61
    await tab.disconnect(timeout=5)


# Connections


async def test_seven_tabs_and_a_storm_of_reconnects_are_let_in(
    alice: Client, set_streaming: SetStreaming
) -> None:
    set_streaming(STARTS_PER_MINUTE=60, STARTS_PER_MINUTE_PER_ADDRESS=600)
    run_id = (await begin(alice)).json()["run_id"]
    for _ in range(3):
        tabs = [socket(alice) for _ in range(7)]
        for tab in tabs:
            assert (await tab.connect(timeout=5))[0]
        streams = [await alice.ask("GET", f"/api/runs/{run_id}/events") for _ in range(15)]
        assert {stream.status_code for stream in streams} == {200}
        for stream in streams:
            await close(stream)
        for tab in tabs:
            await tab.disconnect(timeout=5)
    assert workers.current().connections.total == 0
    await stop_all()


async def test_streams_and_sockets_of_one_person_are_limited_together(
    alice: Client, bob: Client, clients: Any, set_streaming: SetStreaming
) -> None:
    carol = await clients("carol")
    set_streaming(CONNECTIONS_PER_USER=2)
    before = hits("connections_per_user")
    path = (await begin(alice)).json()["events"]
    stream = await alice.ask("GET", path)
    tab = socket(alice)
    await tab.connect(timeout=5)
    await until(lambda: workers.current().connections.held_by(str(alice.user.pk)) == 2)

    response = await alice.ask("GET", path)
    assert error_of(response) == (429, "too_many_connections")
    # A start whose answer would be a stream is refused before anything is written.
    count = len(workers.current().runs)
    assert error_of(await begin(alice, **STREAM)) == (429, "too_many_connections")
    assert len(workers.current().runs) == count
    third = socket(alice)
    await third.connect(timeout=5)
    closed = await third.receive_output(timeout=5)
    assert (closed["type"], closed["code"]) == ("websocket.close", TOO_MANY)
    assert hits("connections_per_user") == before + 3

    others = [await begin(bob, "Hello", **STREAM), await begin(carol, "Hello", **STREAM)]
    assert {response.status_code for response in others} == {200}
    await close(stream)
    again = await alice.ask("GET", path)
    assert again.status_code == 200
    for response in (*others, again):
        await close(response)
    await tab.disconnect(timeout=5)
    await third.disconnect(timeout=5)
    await until(lambda: workers.current().connections.total == 0)
    await stop_all()


async def test_a_server_that_is_full_says_so_to_everybody(
    alice: Client, bob: Client, set_streaming: SetStreaming
) -> None:
    set_streaming(CONNECTIONS_PER_WORKER=1)
    path = (await begin(alice)).json()["events"]
    stream = await alice.ask("GET", path)
    response = await begin(bob, **STREAM)
    assert error_of(response) == (503, "server_full")
    await close(stream)
    await stop_all()


async def test_who_opens_without_end_leaves_room_for_the_others(
    alice: Client, bob: Client, clients: Any, set_streaming: SetStreaming
) -> None:
    carol = await clients("carol")
    most = 4 * A_FEW
    set_streaming(CONNECTIONS_PER_WORKER=most, CONNECTIONS_PER_USER=0)
    connections = workers.current().connections
    paths = [(client, (await begin(client)).json()["events"]) for client in (alice, bob, carol)]
    open_streams = []

    async def take_all(client: Client, path: str) -> int:
        count = 0
        while (response := await client.ask("GET", path)).status_code == 200:
            open_streams.append(response)
            count += 1
        assert error_of(response) in [(429, "too_many_connections"), (503, "server_full")]
        return count

    counts = [await take_all(client, path) for client, path in paths]
    assert counts == [most // 2, A_FEW, A_FEW]
    assert connections.total == most
    for response in open_streams:
        await close(response)
    await stop_all()


async def test_runs_of_one_person_leave_room_for_the_others(
    alice: Client, bob: Client, set_streaming: SetStreaming
) -> None:
    set_streaming(RUNS_PER_WORKER=2 * A_FEW, RUNS_PER_USER=0)
    for _ in range(A_FEW):
        assert (await begin(alice)).status_code == 202
    assert error_of(await begin(alice)) == (429, "too_many_runs")
    assert (await begin(bob)).status_code == 202
    await stop_all()


# Sizes


async def test_the_length_of_a_message_is_limited(
    alice: Client, set_streaming: SetStreaming
) -> None:
    set_streaming(MESSAGE_CHARACTERS=10)
    conversation = await converse(alice)
    response = await send(alice, conversation, "x" * 11)
    assert error_of(response) == (422, "invalid_field")
    assert response.json()["error"]["field"] == "content"
    assert "10" in response.json()["error"]["message"]
    await asked(alice, conversation, "x" * 10)
    set_streaming(MESSAGE_CHARACTERS=0)
    await asked(alice, conversation, "x" * 300_000)


async def test_what_is_refused_is_said_in_the_persons_language(
    alice: Client, set_streaming: SetStreaming
) -> None:
    set_streaming(TOKENS_PER_DAY=1)
    conversation = await converse(alice)
    await asked(alice, conversation, script({"text": "a"}, {"usage": [1, 1]}))
    path = f"/api/conversations/{conversation}/messages"
    english = await alice.ask("POST", path, {"content": "x"})
    chinese = await alice.ask("POST", path, {"content": "x"}, **{"accept-language": "zh-hans"})
    assert english.json()["error"]["message"] != chinese.json()["error"]["message"]
