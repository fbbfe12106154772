"""Conversations: create, list, read, change, delete."""

import asyncio
import json
import threading
from typing import Any
from urllib.parse import urlencode

import pytest
from django.utils import timezone

from conversations.models import Conversation, Message, Person
from streaming import threads
from streaming.models import Fragment, Run
from tests.conftest import Client
from tests.conversations.chatting import (
    asked,
    converse,
    error_of,
    messages,
    new_id,
    script,
    send,
)
from tests.waiting import until

SHAPE = {
    "id", "title", "model", "system_prompt", "settings", "pinned", "archived", "head",
    "created_at", "updated_at",
}  # fmt: skip


async def test_a_conversation_has_the_contract_s_shape(alice: Client) -> None:
    response = await alice.ask("POST", "/api/conversations", {"title": "Ropes"})
    assert response.status_code == 201
    body = response.json()
    assert set(body) == SHAPE
    assert (body["title"], body["model"], body["head"]) == ("Ropes", None, None)
    read = (await alice.ask("GET", f"/api/conversations/{body['id']}")).json()
    assert read == {**body, "messages": [], "revision": read["revision"]}
    alone = (await alice.ask("GET", f"/api/conversations/{body['id']}?messages=false")).json()
    assert alone == {**body, "revision": read["revision"]}


@pytest.mark.parametrize("path", ["", "/messages"])
async def test_many_messages_are_written_beside_the_event_loop(
    alice: Client, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    conversation = await converse(alice)
    await asked(alice, conversation, "Hello")
    written_in: list[int] = []
    encode = json.JSONEncoder.encode

    def note_thread(encoder: json.JSONEncoder, value: Any) -> str:
        written_in.append(threading.get_ident())
        return encode(encoder, value)

    monkeypatch.setattr(json.JSONEncoder, "encode", note_thread)
    response = await alice.ask("GET", f"/api/conversations/{conversation}{path}")
    assert len(response.json()["messages"]) == 2
    assert written_in and threading.get_ident() not in written_in


async def test_creating_the_same_many_times_at_once_is_the_same(alice: Client) -> None:
    for _ in range(10):
        body = {"id": new_id(), "title": "Ropes"}
        asking = [alice.ask("POST", "/api/conversations", body) for _ in range(8)]
        statuses = [response.status_code for response in await asyncio.gather(*asking)]
        assert sorted(statuses) == [*[200] * 7, 201]


async def test_creating_the_same_again_is_the_same(alice: Client) -> None:
    body = {"id": new_id(), "title": "Ropes", "settings": {"temperature": 0.5}}
    first = await alice.ask("POST", "/api/conversations", body)
    second = await alice.ask("POST", "/api/conversations", body)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    other = await alice.ask("POST", "/api/conversations", {**body, "title": "Knots"})
    assert error_of(other) == (409, "id_reused")


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"id": "x"}, "invalid_field", "id"),
        ({"id": "0123456789abcdef"}, "invalid_field", "id"),
        ({"title": 5}, "invalid_field", "title"),
        ({"title": "x" * 201}, "invalid_field", "title"),
        ({"title": "a\x00b"}, "invalid_field", "title"),
        ({"system_prompt": "\ud83d"}, "invalid_field", "system_prompt"),
        ({"settings": {"temperature": 3}}, "invalid_field", "settings.temperature"),
        ({"settings": {"max_output_tokens": 0}}, "invalid_field", "settings.max_output_tokens"),
        ({"settings": []}, "invalid_field", "settings"),
        ({"model": "nobody"}, "unknown_model", "model"),
    ],
)
async def test_a_field_that_does_not_fit_is_named(
    alice: Client, body: dict[str, Any], code: str, field: str
) -> None:
    response = await alice.ask("POST", "/api/conversations", body)
    assert error_of(response) == (422, code)
    assert response.json()["error"]["field"] == field
    assert await threads.read(Conversation.objects.count) == 0


@pytest.mark.parametrize(
    ("data", "content_type", "expected"),
    [
        (b"{", "application/json", (400, "bad_json")),
        (b"[]", "application/json", (400, "bad_json")),
        (b'"x"', "application/json", (400, "bad_json")),
        (b"\xff", "application/json", (400, "bad_json")),
        (b"[" * 100_000, "application/json", (400, "bad_json")),
        (b"title=x", "application/x-www-form-urlencoded", (415, "unsupported_type")),
        (b"{}", "text/plain", (415, "unsupported_type")),
    ],
)
async def test_a_body_that_is_no_json_object_is_refused(
    alice: Client, data: bytes, content_type: str, expected: tuple[int, str]
) -> None:
    response = await alice.post("/api/conversations", data=data, content_type=content_type)
    assert error_of(response) == expected


async def test_the_list_is_newest_first_and_paged(alice: Client) -> None:
    ids = [await converse(alice, title=f"number {n}") for n in range(35)]
    page = (await alice.ask("GET", "/api/conversations")).json()
    assert [c["id"] for c in page["conversations"]] == ids[::-1][:30]
    query = urlencode({"before": page["before"]})
    rest = (await alice.ask("GET", f"/api/conversations?{query}")).json()
    assert [c["id"] for c in rest["conversations"]] == ids[::-1][30:]
    assert rest["before"] is None


@pytest.mark.parametrize(
    "before",
    ["x", "_", "2026-01-01T00:00:00_x", "2026-01-01T00:00:00_" + new_id(), "_" + new_id(),
     "9999-12-31T23:59:59-12:00_" + new_id(), "0001-01-01T00:00:00+12:00_" + new_id()],
)  # fmt: skip
async def test_a_place_in_the_list_that_was_made_up_is_refused(alice: Client, before: str) -> None:
    response = await alice.ask("GET", f"/api/conversations?{urlencode({'before': before})}")
    assert error_of(response) == (422, "invalid_field")
    assert response.json()["error"]["field"] == "before"


async def test_search_finds_titles_and_text(alice: Client) -> None:
    titled = await converse(alice, title="Bowline")
    said = await converse(alice)
    await asked(alice, said, "how to tie a BOWLINE")
    await converse(alice, title="else")
    page = (await alice.ask("GET", "/api/conversations?search=bowline")).json()
    assert {c["id"] for c in page["conversations"]} == {titled, said}


@pytest.mark.parametrize("search", ["%00", "%25", "_", "%5C", "'", "%F0%9F%98%80"])
async def test_no_search_breaks_the_list(alice: Client, search: str) -> None:
    await converse(alice, title="plain")
    response = await alice.ask("GET", f"/api/conversations?search={search}")
    if search == "%00":
        assert error_of(response) == (422, "invalid_field")
    else:
        assert response.json()["conversations"] == []


async def test_a_change_touches_only_what_it_names(alice: Client) -> None:
    conversation = await converse(alice, title="Ropes", settings={"temperature": 1})
    path = f"/api/conversations/{conversation}"
    before = (await alice.ask("GET", path)).json()
    after = (await alice.ask("PATCH", path, {"pinned": True, "archived": True})).json()
    assert after == {**{k: before[k] for k in SHAPE}, "pinned": True, "archived": True}
    assert (await alice.ask("GET", "/api/conversations")).json()["conversations"] == []
    archived = (await alice.ask("GET", "/api/conversations?archived=true")).json()
    assert [c["id"] for c in archived["conversations"]] == [conversation]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"title": None}, "invalid_field"),
        ({"pinned": "perhaps"}, "invalid_field"),
        ({"head": "x"}, "invalid_field"),
        ({"head": new_id()}, "invalid_field"),
        ({"model": "nobody"}, "unknown_model"),
    ],
)
async def test_a_change_that_does_not_fit_changes_nothing(
    alice: Client, body: dict[str, Any], code: str
) -> None:
    conversation = await converse(alice, title="Ropes")
    path = f"/api/conversations/{conversation}"
    before = (await alice.ask("GET", path)).json()
    assert error_of(await alice.ask("PATCH", path, body)) == (422, code)
    assert (await alice.ask("GET", path)).json() == before


async def test_all_that_is_pinned_is_listed_a_hundred_at_a_time(alice: Client) -> None:
    def pin() -> None:
        now = timezone.now()
        Conversation.objects.bulk_create(
            Conversation(owner=alice.user, title=str(n), pinned=n % 2 == 0, updated_at=now)
            for n in range(410)
        )

    await threads.write(pin)
    first = (await alice.ask("GET", "/api/conversations")).json()
    found = [one["id"] for one in first["pinned"]]
    before, pages = first["pinned_before"], 1
    while before:
        query = urlencode({"pinned": "true", "before": before})
        page = (await alice.ask("GET", f"/api/conversations?{query}")).json()
        assert all(one["pinned"] for one in page["conversations"])
        assert "pinned" not in page
        found += [one["id"] for one in page["conversations"]]
        before, pages = page["before"], pages + 1
    assert (len(found), len(set(found)), pages) == (205, 205, 3)


async def test_every_change_raises_the_person_s_revision(alice: Client) -> None:
    async def revision() -> int:
        return int((await alice.ask("GET", "/api/conversations")).json()["revision"])

    seen = [await revision()]
    conversation = await converse(alice)
    seen.append(await revision())
    await alice.ask("PATCH", f"/api/conversations/{conversation}", {"pinned": True})
    seen.append(await revision())
    await asked(alice, conversation, "Hello")
    seen.append(await revision())
    await alice.ask("DELETE", f"/api/conversations/{conversation}")
    seen.append(await revision())
    assert seen == sorted(set(seen))
    assert await threads.read(Person.objects.count) == 1


async def test_a_deleted_conversation_is_gone_with_its_live_run(alice: Client) -> None:
    conversation = await converse(alice)
    response = await send(alice, conversation, script({"text": "going"}, {"stall": True}))
    run_id = response.json()["run_id"]
    await until(lambda: _shown(alice, conversation, run_id, "going"))
    assert (await alice.ask("DELETE", f"/api/conversations/{conversation}")).status_code == 204
    assert error_of(await alice.ask("GET", f"/api/conversations/{conversation}")) == (
        404,
        "not_found",
    )
    await until(_idle)
    assert await threads.read(Message.objects.count) == 0


async def _shown(client: Client, conversation: str, run_id: str, text: str) -> bool:
    return bool((await messages(client, conversation))[run_id]["content"] == text)


async def _idle() -> bool:
    return not await threads.read(lambda: Run.objects.exists() or Fragment.objects.exists())


async def test_a_title_comes_from_the_first_question(alice: Client) -> None:
    conversation = await converse(alice)
    await asked(alice, conversation, "What is the capital\n of France? " + "word " * 50)
    title = (await alice.ask("GET", f"/api/conversations/{conversation}")).json()["title"]
    assert title == "What is the capital of France?"
    assert len(title) <= 61


async def test_the_revision_is_the_same_wherever_it_is_read(alice: Client, bob: Client) -> None:
    conversation = await converse(alice)
    paths = ("revision", "conversations", f"conversations/{conversation}")
    for path in (*paths, f"conversations/{conversation}/messages"):
        body = (await alice.ask("GET", f"/api/{path}")).json()
        assert body["revision"] == 1, path
    assert (await bob.ask("GET", "/api/revision")).json() == {"revision": 0}


async def test_nobody_has_a_revision(charlie: Client) -> None:
    assert (await charlie.ask("GET", "/api/revision")).status_code == 401
