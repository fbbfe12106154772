"""Send, regenerate, edit, continue, delete: everything that starts a run, and the tree."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.urls import set_script_prefix

from conversations.models import Message
from conversations.prompting import CONTINUE
from conversations.providers.scripted import ScriptedProvider
from conversations.providers.types import Model, Prompt, PromptMessage
from streaming import threads, workers
from streaming.models import Run
from streaming.source import Finish, Source, SourceFailed, Text
from tests.conftest import Client, SetStreaming, Settings
from tests.conversations.chatting import (
    asked,
    converse,
    error_of,
    events,
    messages,
    new_id,
    read,
    script,
    send,
    text_of,
)
from tests.waiting import until

MESSAGE = {
    "id", "conversation_id", "parent_id", "role", "parts", "content", "status", "reason",
    "retryable", "model", "provider", "usage", "first_token_ms", "duration_ms", "created_at",
    "settled_at",
}  # fmt: skip


def stalling(text: str = "so far") -> str:
    return script({"text": text}, {"stall": True})


async def live(client: Client, conversation: str, content: str = "", **body: Any) -> str:
    """Start a run that waits; returns its id once its text is shown."""
    response = await send(client, conversation, content or stalling(), **body)
    assert response.status_code == 202, response.content
    run_id = str(response.json()["run_id"])

    async def shown() -> bool:
        return bool((await messages(client, conversation))[run_id]["content"])

    await until(shown)
    return run_id


async def stop(client: Client, run_id: str) -> None:
    response = await client.ask("POST", f"/api/runs/{run_id}/stop")
    assert response.status_code in (200, 202)
    await events(client, run_id)


async def test_a_start_says_where_its_events_are(alice: Client) -> None:
    conversation = await converse(alice)
    response = await send(alice, conversation, "Hello")
    body = response.json()
    assert response.status_code == 202
    assert set(body) == {"run_id", "message_id", "events"}
    assert body["events"] == response["Location"] == f"/api/runs/{body['run_id']}/events"
    tree = await messages(alice, conversation)
    assert tree[body["run_id"]]["parent_id"] == body["message_id"]
    await events(alice, body["run_id"])


async def test_a_settled_reply_has_the_contract_s_shape(alice: Client) -> None:
    conversation = await converse(alice)
    content = script({"reasoning": "hm"}, {"text": "Yes"}, {"usage": [3, 5]})
    run_id = await asked(alice, conversation, content)
    tree = await messages(alice, conversation)
    reply, question = tree[run_id], tree[tree[run_id]["parent_id"]]
    assert set(reply) == MESSAGE | {"cursor", "rating", "comment"}
    assert set(question) == MESSAGE
    assert (reply["status"], reply["content"], reply["cursor"]) == ("completed", "Yes", "2-3")
    assert reply["parts"] == [
        {"kind": "reasoning", "text": "hm"},
        {"kind": "text", "text": "Yes"},
    ]
    assert reply["usage"] == {"input_tokens": 3, "output_tokens": 5}
    assert (question["status"], question["content"]) == ("completed", content)


async def test_accepting_a_stream_the_start_is_the_subscription(alice: Client) -> None:
    conversation = await converse(alice)
    path = f"/api/conversations/{conversation}/messages"
    response = await alice.ask("POST", path, {"content": "Hello there"}, accept="text/event-stream")
    assert response.status_code == 200
    heard = await read(response)
    assert response["Location"] == f"/api/runs/{heard[0]['run_id']}/events"
    assert heard[0]["type"] == "started" and heard[0]["conversation_id"] == conversation
    assert text_of(heard) == "Hello there"
    assert heard[-1]["status"] == "completed"


async def test_plain_text_streams_the_bare_reply(alice: Client) -> None:
    conversation = await converse(alice)
    path = f"/api/conversations/{conversation}/messages"
    response = await alice.ask("POST", path, {"content": "Hello there"}, accept="text/plain")
    assert b"".join([part async for part in response]) == b"Hello there"


async def test_errors_before_a_stream_are_json_whatever_is_accepted(alice: Client) -> None:
    path = f"/api/conversations/{new_id()}/messages"
    response = await alice.ask("POST", path, {"content": "x"}, accept="text/event-stream")
    assert response["Content-Type"].startswith("application/json")
    assert error_of(response) == (404, "not_found")


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({}, "invalid_field", "content"),
        ({"content": ""}, "invalid_field", "content"),
        ({"content": " \n "}, "invalid_field", "content"),
        ({"content": None}, "invalid_field", "content"),
        ({"content": "a\x00b"}, "invalid_field", "content"),
        ({"content": "\ud83d"}, "invalid_field", "content"),
        ({"content": "x" * 200_001}, "invalid_field", "content"),
        ({"content": "x", "reply_id": "x"}, "invalid_field", "reply_id"),
        ({"content": "x", "parent_id": new_id()}, "invalid_field", "parent_id"),
        ({"content": "x", "on_disconnect": "die"}, "invalid_field", "on_disconnect"),
        ({"content": "x", "model": "nobody"}, "unknown_model", "model"),
    ],
)
async def test_a_question_that_does_not_fit_stores_nothing(
    alice: Client, body: dict[str, Any], code: str, field: str
) -> None:
    conversation = await converse(alice)
    response = await alice.ask("POST", f"/api/conversations/{conversation}/messages", body)
    assert error_of(response) == (422, code)
    assert response.json()["error"]["field"] == field
    assert await threads.read(Message.objects.count) == 0


async def test_one_id_for_question_and_reply_is_refused(alice: Client) -> None:
    conversation = await converse(alice)
    same = new_id()
    response = await send(alice, conversation, "Hello", id=same, reply_id=same)
    assert error_of(response) in [(422, "invalid_field"), (409, "id_reused")]
    assert await threads.read(Message.objects.count) == 0


# Repeating a start


async def test_repeating_a_start_attaches_live_and_settled(alice: Client) -> None:
    conversation = await converse(alice)
    ids = {"id": new_id(), "reply_id": new_id()}
    first = await send(alice, conversation, stalling(), **ids)
    again = await send(alice, conversation, stalling(), **ids)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    await stop(alice, ids["reply_id"])
    settled = await send(alice, conversation, stalling(), **ids)
    assert settled.json() == first.json()
    assert await threads.read(Message.objects.count) == 2


async def test_the_same_reply_id_with_another_body_is_refused(alice: Client) -> None:
    conversation = await converse(alice)
    reply_id = new_id()
    await asked(alice, conversation, "Hello", reply_id=reply_id)
    response = await send(alice, conversation, "Bye", reply_id=reply_id)
    assert error_of(response) == (409, "id_reused")
    response = await alice.ask(
        "POST", f"/api/messages/{reply_id}/regenerate", {"reply_id": reply_id}
    )
    assert error_of(response) == (409, "id_reused")


async def test_the_same_start_at_the_same_moment_is_one_run(alice: Client) -> None:
    conversation = await converse(alice)
    ids = {"id": new_id(), "reply_id": new_id()}
    responses = await asyncio.gather(*(send(alice, conversation, "Hello", **ids) for _ in range(5)))
    assert {response.status_code for response in responses} == {202}
    assert len({response.content for response in responses}) == 1
    assert await threads.read(Message.objects.count) == 2
    await events(alice, ids["reply_id"])


async def test_a_second_start_in_a_conversation_names_the_one_in_flight(alice: Client) -> None:
    conversation = await converse(alice)
    run_id = await live(alice, conversation)
    response = await send(alice, conversation, "Hello", reply_id=new_id())
    assert error_of(response) == (409, "reply_in_progress")
    error = response.json()["error"]
    assert (error["run_id"], error["events"]) == (run_id, f"/api/runs/{run_id}/events")
    assert error["retryable"]
    await stop(alice, run_id)


# Limits


async def test_runs_of_one_person_are_limited_but_attaching_is_not(
    alice: Client, bob: Client, set_streaming: SetStreaming
) -> None:
    set_streaming(RUNS_PER_USER=1)
    first, second = await converse(alice), await converse(alice)
    ids = {"id": new_id(), "reply_id": new_id()}
    await live(alice, first, **ids)
    assert error_of(await send(alice, second, "Hello")) == (429, "too_many_runs")
    assert (await send(alice, first, stalling(), **ids)).status_code == 202
    await asked(bob, await converse(bob), "Hello")
    await stop(alice, ids["reply_id"])
    await asked(alice, second, "Hello")


async def test_starts_in_a_minute_are_limited(alice: Client, set_streaming: SetStreaming) -> None:
    set_streaming(STARTS_PER_MINUTE=2)
    conversation = await converse(alice)
    for _ in range(2):
        await asked(alice, conversation, "Hello")
    response = await send(alice, conversation, "Hello")
    assert error_of(response) == (429, "too_many_requests")
    assert 50 <= int(response["Retry-After"]) <= 60


async def test_a_continued_reply_and_a_deleted_one_count_as_starts(
    alice: Client, set_streaming: SetStreaming
) -> None:
    set_streaming(STARTS_PER_MINUTE=2)
    conversation, other = await converse(alice), await converse(alice)
    reply = await asked(alice, conversation, script({"text": "Hold"}, {"fail": "upstream_reset"}))
    path = f"/api/messages/{reply}/continue"
    assert (await alice.ask("POST", path, {"after": "1-4"})).status_code == 202
    await events(alice, reply)
    assert (await alice.ask("DELETE", f"/api/conversations/{conversation}")).status_code == 204
    assert error_of(await send(alice, other, "Hello")) == (429, "too_many_requests")


async def test_runs_of_one_worker_are_limited(alice: Client, set_streaming: SetStreaming) -> None:
    set_streaming(RUNS_PER_WORKER=1)
    first, second = await converse(alice), await converse(alice)
    run_id = await live(alice, first)
    assert error_of(await send(alice, second, "Hello")) == (429, "too_many_runs")
    await stop(alice, run_id)


async def test_a_draining_server_takes_no_start_but_lets_clients_attach(alice: Client) -> None:
    conversation, other = await converse(alice), await converse(alice)
    ids = {"id": new_id(), "reply_id": new_id()}
    await live(alice, conversation, **ids)
    workers.current().begin_drain(seconds=5)
    assert error_of(await send(alice, other, "Hello")) == (503, "draining")
    assert (await send(alice, conversation, stalling(), **ids)).status_code == 202
    await stop(alice, ids["reply_id"])


# Other replies


async def test_regenerate_is_a_sibling_and_the_new_head(alice: Client) -> None:
    conversation = await converse(alice)
    first = await asked(alice, conversation, "Hello")
    response = await alice.ask("POST", f"/api/messages/{first}/regenerate", {})
    second = response.json()["run_id"]
    await events(alice, second)
    tree = await messages(alice, conversation)
    assert tree[first]["parent_id"] == tree[second]["parent_id"]
    branch = (await alice.ask("GET", f"/api/conversations/{conversation}")).json()
    assert branch["head"] == second
    assert [m["id"] for m in branch["messages"]] == [tree[second]["parent_id"], second]


async def test_edit_is_another_version_of_the_question(alice: Client) -> None:
    conversation = await converse(alice)
    first = await asked(alice, conversation, "Hello")
    question = (await messages(alice, conversation))[first]["parent_id"]
    response = await alice.ask("POST", f"/api/messages/{question}/edit", {"content": "Bye"})
    await events(alice, response.json()["run_id"])
    tree = await messages(alice, conversation)
    assert tree[response.json()["run_id"]]["content"] == "Bye"
    assert tree[response.json()["message_id"]]["parent_id"] == tree[question]["parent_id"]
    refused = await alice.ask("POST", f"/api/messages/{first}/edit", {"content": "x"})
    assert error_of(refused) == (422, "invalid_field")


async def test_a_branch_is_shown_by_its_head(alice: Client) -> None:
    conversation = await converse(alice)
    first = await asked(alice, conversation, "Hello")
    second = (await alice.ask("POST", f"/api/messages/{first}/regenerate", {})).json()["run_id"]
    await events(alice, second)
    path = f"/api/conversations/{conversation}"
    await alice.ask("PATCH", path, {"head": first})
    assert (await alice.ask("GET", path)).json()["messages"][-1]["id"] == first
    assert len(await messages(alice, conversation)) == 3


# Continue


async def test_continue_reopens_the_same_reply_behind_its_end(
    alice: Client, providers: Path
) -> None:
    conversation = await converse(alice)
    content = script({"text": "Hold"}, {"fail": "upstream_reset"}, {"text": "fast"})
    run_id = await asked(alice, conversation, content)
    cut = (await messages(alice, conversation))[run_id]
    assert (cut["status"], cut["content"], cut["cursor"]) == ("failed", "Hold", "1-4")
    response = await alice.ask("POST", f"/api/messages/{run_id}/continue", {"after": "1-4"})
    assert (response.status_code, response.json()["run_id"]) == (202, run_id)
    heard = await events(alice, run_id, **{"last-event-id": "1-4.end"})
    assert (heard[0]["cursor"], text_of(heard)) == ("1-4", "fast")
    whole = (await messages(alice, conversation))[run_id]
    assert (whole["status"], whole["content"]) == ("completed", "Holdfast")


async def test_a_reply_that_is_stored_with_an_empty_part_is_continued_whole(
    alice: Client, providers: Path
) -> None:
    conversation = await converse(alice)
    content = script({"text": "Hold"}, {"fail": "upstream_reset"}, {"text": "fast"})
    run_id = await asked(alice, conversation, content)
    parts = [{"kind": "reasoning", "text": ""}, {"kind": "text", "text": "Hold"}]
    await threads.write(lambda: Message.objects.filter(id=run_id).update(parts=parts))
    cut = (await messages(alice, conversation))[run_id]
    await alice.ask("POST", f"/api/messages/{run_id}/continue", {"after": cut["cursor"]})
    heard = await events(alice, run_id, **{"last-event-id": f"{cut['cursor']}.end"})
    assert text_of(heard) == "fast"
    whole = (await messages(alice, conversation))[run_id]
    assert (whole["content"], whole["cursor"]) == ("Holdfast", heard[-1]["cursor"])


async def test_the_figures_of_a_continued_reply_are_those_of_all_its_runs(
    alice: Client, providers: Path
) -> None:
    conversation = await converse(alice)
    first = [{"text": "Hold"}, {"pause_ms": 60}, {"usage": [30, 4]}, {"fail": "upstream_reset"}]
    second = [{"pause_ms": 60}, {"text": "fast"}, {"usage": [34, 5]}]
    run_id = await asked(alice, conversation, script(*first, *second))
    cut = (await messages(alice, conversation))[run_id]
    await alice.ask("POST", f"/api/messages/{run_id}/continue", {"after": "1-4"})
    ended = (await events(alice, run_id))[-1]
    whole = (await messages(alice, conversation))[run_id]
    assert whole["usage"] == ended["usage"] == {"input_tokens": 64, "output_tokens": 9}
    assert whole["duration_ms"] >= cut["duration_ms"] + 60
    assert whole["first_token_ms"] == cut["first_token_ms"] < cut["duration_ms"]


async def test_continue_from_another_end_gives_what_is_stored_and_asks_nobody(
    alice: Client,
) -> None:
    conversation = await converse(alice)
    run_id = await asked(alice, conversation, "Holdfast")
    path = f"/api/messages/{run_id}/continue"
    response = await alice.ask("POST", path, {"after": "1-4"}, accept="text/event-stream")
    heard = await read(response)
    assert (text_of(heard), heard[-1]["status"]) == ("fast", "completed")
    assert not await threads.read(Run.objects.exists)
    for after in ("x", "1-", ""):
        response = await alice.ask("POST", path, {"after": after})
        assert error_of(response) == (400, "bad_cursor")
    response = await alice.ask("POST", path, {})
    assert error_of(response) == (422, "invalid_field")


async def test_continue_of_a_live_reply_attaches(alice: Client) -> None:
    conversation = await converse(alice)
    run_id = await live(alice, conversation)
    response = await alice.ask("POST", f"/api/messages/{run_id}/continue", {"after": "1-6"})
    assert response.status_code == 202
    assert await threads.read(Run.objects.count) == 1
    await stop(alice, run_id)


async def test_a_question_cannot_be_continued(alice: Client) -> None:
    conversation = await converse(alice)
    run_id = await asked(alice, conversation, "Hello")
    question = (await messages(alice, conversation))[run_id]["parent_id"]
    response = await alice.ask("POST", f"/api/messages/{question}/continue", {"after": "1-5"})
    assert error_of(response) == (422, "invalid_field")


# Deletion


async def test_a_deleted_message_takes_its_branch_and_its_run_along(alice: Client) -> None:
    conversation = await converse(alice)
    first = await asked(alice, conversation, "Hello")
    second = await live(alice, conversation)
    question = (await messages(alice, conversation))[second]["parent_id"]
    response = await alice.ask("DELETE", f"/api/messages/{question}")
    assert response.status_code == 204
    tree = await messages(alice, conversation)
    assert set(tree) == {first, tree[first]["parent_id"]}
    await until(_no_run)
    shown = (await alice.ask("GET", f"/api/conversations/{conversation}")).json()
    assert shown["head"] == first
    await asked(alice, conversation, "and on")


async def test_after_a_deleted_version_the_newest_other_one_is_shown(alice: Client) -> None:
    conversation = await converse(alice)
    first = await asked(alice, conversation, "Hello")
    last = await asked(alice, conversation, "and on")
    question = (await messages(alice, conversation))[first]["parent_id"]
    second = (await alice.ask("POST", f"/api/messages/{first}/regenerate", {})).json()["run_id"]
    await events(alice, second)
    path = f"/api/conversations/{conversation}"
    assert (await alice.ask("DELETE", f"/api/messages/{second}")).status_code == 204
    assert (await alice.ask("GET", path)).json()["head"] == last
    assert (await alice.ask("DELETE", f"/api/messages/{first}")).status_code == 204
    assert (await alice.ask("GET", path)).json()["head"] == question


async def test_a_model_that_repeats_itself_is_joined_without_the_repetition(
    alice: Client, settings: Settings
) -> None:
    settings.CHAT_PROVIDERS = {
        "stubborn": {"BACKEND": f"{__name__}.StubbornProvider", "OPTIONS": {}},
    }
    conversation = await converse(alice)
    run_id = await asked(alice, conversation, "Tell me of the sea")
    cut = (await messages(alice, conversation))[run_id]
    body = {"after": cut["cursor"]}
    response = await alice.ask("POST", f"/api/messages/{run_id}/continue", body)
    assert response.status_code == 202
    heard = await events(alice, run_id, **{"last-event-id": f"{cut['cursor']}.end"})
    whole = (await messages(alice, conversation))[run_id]
    assert text_of(heard) == " and the sea comes back."
    assert whole["content"] == "The tide goes out and the sea comes back."
    assert whole["status"] == "completed"


class StubbornProvider(ScriptedProvider):
    """One that cannot go on from its own words, and says the last of them again."""

    def models(self) -> list[Model]:
        """List a model that does not continue."""
        return [replace(model, continues=False) for model in super().models()]

    async def stream(self, prompt: Prompt) -> Source:
        """Break off; asked again, repeat some words before going on."""
        if prompt.messages[-1].content != CONTINUE:
            yield Text("The tide goes out")
            raise SourceFailed("upstream_reset")
        assert prompt.messages[-2] == PromptMessage(role="assistant", content="The tide goes out")
        for word in ("tide ", "goes", " out", " and the sea", " comes back."):
            yield Text(word)
        yield Finish()


async def _no_run() -> bool:
    return not await threads.read(Run.objects.exists)


async def test_below_a_script_name_every_answer_names_the_same_address(alice: Client) -> None:
    conversation = await converse(alice)
    set_script_prefix("/site/")  # as Django's handler does for each request
    try:
        first = await send(alice, conversation, stalling())
        second = await send(alice, conversation, stalling())
    finally:
        set_script_prefix("/")
    body = first.json()
    assert second.json()["error"]["events"] == body["events"]
    assert body["events"] == first["Location"] == f"/site/api/runs/{body['run_id']}/events"
