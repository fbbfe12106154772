"""Events and stop: the one URL for the life of a reply."""

import asyncio
from pathlib import Path

import pytest

from streaming import threads, workers
from streaming.models import Run
from tests.conftest import Client, SetStreaming
from tests.conversations.chatting import (
    asked,
    converse,
    error_of,
    events,
    messages,
    read,
    script,
    send,
    text_of,
)
from tests.waiting import until


async def gated(client: Client, conversation: str) -> str:
    """Start a run that says two words with a gate between them."""
    content = script({"text": "Hold"}, {"gate": "open"}, {"text": "fast"})
    return str((await send(client, conversation, content)).json()["run_id"])


async def test_every_reader_gets_the_same_text_and_end(alice: Client, providers: Path) -> None:
    conversation = await converse(alice)
    run_id = await gated(alice, conversation)
    readers = [asyncio.ensure_future(events(alice, run_id)) for _ in range(3)]
    await until(lambda: _shows(alice, conversation, run_id, "Hold"))
    (providers / "open").touch()
    heard = await asyncio.gather(*readers)
    late = await events(alice, run_id)
    assert {text_of(one) for one in [*heard, late]} == {"Holdfast"}
    ends = [one[-1] for one in [*heard, late]]
    assert all(end == ends[0] for end in ends)


async def _shows(client: Client, conversation: str, run_id: str, text: str) -> bool:
    return bool((await messages(client, conversation))[run_id]["content"] == text)


async def test_a_page_that_loads_in_mid_reply_follows_from_the_cursor_it_got(
    alice: Client, providers: Path
) -> None:
    conversation = await converse(alice)
    run_id = await gated(alice, conversation)
    await until(lambda: _shows(alice, conversation, run_id, "Hold"))
    shown = (await messages(alice, conversation))[run_id]
    assert (shown["status"], shown["cursor"]) == ("running", "1-4")
    (providers / "open").touch()
    response = await alice.ask("GET", f"/api/runs/{run_id}/events?after={shown['cursor']}")
    heard = await read(response)
    assert shown["content"] + text_of(heard) == "Holdfast"


async def test_the_header_wins_over_the_query(alice: Client) -> None:
    run_id = await asked(alice, await converse(alice), "Holdfast")
    path = f"/api/runs/{run_id}/events?after=1-1"
    heard = await read(await alice.ask("GET", path, **{"last-event-id": "1-4"}))
    assert text_of(heard) == "fast"


async def test_whoever_saw_the_end_is_told_to_stay_away(alice: Client) -> None:
    run_id = await asked(alice, await converse(alice), "Holdfast")
    path = f"/api/runs/{run_id}/events"
    seen = await alice.ask("GET", path, **{"last-event-id": "1-8.end"})
    assert (seen.status_code, seen.content) == (204, b"")
    other = await alice.ask("GET", path, **{"last-event-id": "1-4.end"})
    assert text_of(await read(other)) == "fast"
    assert workers.current().reader_count == 0


@pytest.mark.parametrize("after", ["x", "1-9", "2-0", "1-8.END", "0-5", "1-99999999999"])
async def test_a_bad_cursor_is_refused_with_the_real_end(alice: Client, after: str) -> None:
    run_id = await asked(alice, await converse(alice), "Holdfast")
    response = await alice.ask("GET", f"/api/runs/{run_id}/events?after={after}")
    assert error_of(response) == (400, "bad_cursor")
    assert response.json()["error"]["cursor"] == "1-8"


async def test_a_cursor_of_uncommitted_text_is_beyond_the_end(
    alice: Client, providers: Path
) -> None:
    conversation = await converse(alice)
    run_id = await gated(alice, conversation)
    await until(lambda: _shows(alice, conversation, run_id, "Hold"))
    response = await alice.ask("GET", f"/api/runs/{run_id}/events?after=1-5")
    assert error_of(response) == (400, "bad_cursor")
    assert response.json()["error"]["cursor"] == "1-4"
    (providers / "open").touch()
    await events(alice, run_id)


async def test_plain_text_of_a_run(alice: Client) -> None:
    content = script({"reasoning": "hm"}, {"text": "Holdfast é"})
    run_id = await asked(alice, await converse(alice), content)
    response = await alice.ask("GET", f"/api/runs/{run_id}/events", accept="text/plain")
    assert b"".join([part async for part in response]) == "Holdfast é".encode()


async def test_only_replies_have_events(alice: Client) -> None:
    conversation = await converse(alice)
    run_id = await asked(alice, conversation, "Hello")
    question = (await messages(alice, conversation))[run_id]["parent_id"]
    for method, path in (("GET", "events"), ("POST", "stop")):
        response = await alice.ask(method, f"/api/runs/{question}/{path}")
        assert error_of(response) == (404, "not_found")


async def test_stop_is_accepted_while_it_ends_and_again_once_settled(alice: Client) -> None:
    conversation = await converse(alice)
    content = script({"text": "kept"}, {"stall": True})
    run_id = (await send(alice, conversation, content)).json()["run_id"]
    await until(lambda: _shows(alice, conversation, run_id, "kept"))
    first = await alice.ask("POST", f"/api/runs/{run_id}/stop")
    assert (first.status_code, first.json()["settled"]) == (202, False)
    heard = await events(alice, run_id)
    assert (heard[-1]["status"], heard[-1]["reason"]) == ("stopped", "user")
    for _ in range(2):
        again = await alice.ask("POST", f"/api/runs/{run_id}/stop")
        assert (again.status_code, again.json()["settled"]) == (200, True)
    reply = (await messages(alice, conversation))[run_id]
    assert (reply["status"], reply["content"]) == ("stopped", "kept")


async def test_stop_is_valid_before_the_first_token(alice: Client) -> None:
    conversation = await converse(alice)
    run_id = (await send(alice, conversation, script({"stall": True}))).json()["run_id"]
    assert (await alice.ask("POST", f"/api/runs/{run_id}/stop")).status_code == 202
    heard = await events(alice, run_id)
    assert (heard[-1]["status"], heard[-1]["cursor"]) == ("stopped", "0-0")


async def test_the_policy_of_a_start_is_the_run_s(
    alice: Client, set_streaming: SetStreaming
) -> None:
    set_streaming(ON_DISCONNECT="stop")
    policies = []
    for given in ({}, {"on_disconnect": "continue"}):
        conversation = await converse(alice)
        response = await send(alice, conversation, script({"stall": True}), **given)
        run_id = response.json()["run_id"]
        run = await threads.read(lambda: Run.objects.get(id=run_id))  # noqa: B023
        policies.append(run.on_disconnect)
        await alice.ask("POST", f"/api/runs/{run_id}/stop")
        await events(alice, run_id)
    assert policies == ["stop", "continue"]


async def test_failures_of_the_upstream_have_stable_reasons_and_no_details(alice: Client) -> None:
    for step, reason in (
        ({"fail": "upstream_rate_limited"}, "upstream_rate_limited"),
        ({"raise": "secret key sk-123"}, "internal"),
        ({"end": True}, "upstream_incomplete"),
    ):
        conversation = await converse(alice)
        run_id = await asked(alice, conversation, script({"text": "half"}, step))
        reply = (await messages(alice, conversation))[run_id]
        assert (reply["status"], reply["reason"], reply["content"]) == ("failed", reason, "half")
        assert "sk-123" not in str(await events(alice, run_id))


async def test_only_get_reads_events(alice: Client) -> None:
    run_id = await asked(alice, await converse(alice), "Hello")
    answer = await alice.ask("POST", f"/api/runs/{run_id}/events")
    assert error_of(answer) == (405, "method_not_allowed")
    assert answer["Allow"] == "GET"
