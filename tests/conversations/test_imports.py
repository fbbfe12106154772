"""Imports: our own files and ChatGPT's, whole or broken, once and again."""

import io
import json
import struct
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from pytest_django import Settings

from conversations.exceptions import BadJson, TooLarge
from conversations.imports.archive import found_in
from conversations.imports.found import MESSAGE_CHARACTERS
from conversations.imports.items import items
from conversations.imports.ours import FORMAT
from conversations.limits.bodies import BodyLimit
from conversations.models import Conversation, Message
from streaming import threads
from tests.conftest import Client
from tests.conversations.chatting import asked, converse, error_of, messages, script
from tests.conversations.test_exports import download, export
from tests.conversations.test_sharing import _settled as settled
from tests.waiting import until

CHATGPT = (Path(__file__).parent / "fixtures" / "chatgpt-conversations.json").read_bytes()
MOST = 10_000_000


async def take(client: Client, data: bytes, kind: str = "application/json") -> dict[str, Any]:
    """Import; returns the report."""
    response = await client.post("/api/import", data=data, content_type=kind)
    assert response.status_code == 200, response.content
    report: dict[str, Any] = response.json()["report"]
    return report


def zipped(*files: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return made.getvalue()


async def listed(client: Client, *, archived: bool = False) -> dict[str, dict[str, Any]]:
    """Returns the conversations by title."""
    path = f"/api/conversations?archived={'true' if archived else 'false'}"
    found = (await client.ask("GET", path)).json()["conversations"]
    return {conversation["title"]: conversation for conversation in found}


def plain(tree: dict[str, dict[str, Any]]) -> dict[Any, Any]:
    """Describe a tree without its ids: a message is what was said on the way to it."""

    def way(one: str | None) -> tuple[Any, ...]:
        if one is None:
            return ()
        message = tree[one]
        return (*way(message["parent_id"]), (message["role"], message["content"]))

    skipped = ("id", "parent_id", "conversation_id", "settled_at")
    return {
        way(one): {name: value for name, value in message.items() if name not in skipped}
        for one, message in tree.items()
    }


async def test_what_was_exported_is_imported_as_the_same_trees(alice: Client, bob: Client) -> None:
    first = await converse(
        alice, title="Knots", system_prompt="Be brief.", settings={"temperature": 0.5}
    )
    reply = await asked(alice, first, script({"reasoning": "hm"}, {"text": "one"}))
    await alice.ask("POST", f"/api/messages/{reply}/regenerate", {})
    await until(lambda: settled(alice, first))
    await asked(alice, first, "and 😀 more")
    question = next(m for m in (await messages(alice, first)).values() if m["role"] == "user")
    body = {"content": "put otherwise"}
    await alice.ask("POST", f"/api/messages/{question['id']}/edit", body)
    await until(lambda: settled(alice, first))
    second = await converse(alice, title="Ropes")
    await asked(alice, second, script({"error": "upstream_error"}))
    await alice.ask("PATCH", f"/api/conversations/{second}", {"pinned": True})

    text, _ = await download(alice, "/api/export?format=jsonl")
    report = await take(bob, text.encode(), "application/jsonl")
    assert (report["added"], report["left_out"], report["refused"]) == (2, {}, {})
    hers, his = await listed(alice), await listed(bob)
    assert his.keys() == hers.keys() == {"Knots", "Ropes"}
    for title, original in hers.items():
        copy = his[title]
        tree, copied = await messages(alice, original["id"]), await messages(bob, copy["id"])
        assert plain(copied) == plain(tree)
        assert not copied.keys() & tree.keys()
        same = ("title", "model", "system_prompt", "settings", "pinned", "created_at", "updated_at")
        assert {name: copy[name] for name in same} == {name: original[name] for name in same}
        assert copied[copy["head"]]["content"] == tree[original["head"]]["content"]

    again = await take(bob, text.encode())
    assert (again["added"], again["messages"], again["already_there"]) == (0, 0, 2)
    mine = await take(alice, text.encode())
    assert (mine["added"], mine["messages"], mine["already_there"]) == (0, 0, 2)
    assert len(await listed(alice)) == 2


async def test_the_file_of_the_account_and_of_one_conversation_are_taken_too(
    alice: Client, bob: Client
) -> None:
    conversation = await converse(alice, title="Knots")
    await asked(alice, conversation, "Hello")
    account, _ = await download(alice, "/api/account/export")
    assert (await take(bob, account.encode()))["added"] == 1
    one, _ = await download(alice, export(conversation, "json"))
    assert (await take(bob, one.encode()))["already_there"] == 1


async def test_chatgpt_s_branches_are_taken_and_what_is_not_is_told(alice: Client) -> None:
    report = await take(alice, CHATGPT)
    assert (report["added"], report["refused"]) == (3, {"empty": 1})
    bells = (await listed(alice))["Harbour bells"]
    tree = await messages(alice, bells["id"])
    said = {m["content"]: m for m in tree.values()}
    assert set(said) == {
        "Why do harbours have bells?",
        "For fog.",
        "Because of **fog**, mostly.",
        "Which is the oldest? Look it up.",
        "I looked it up.\n\nNobody knows.",
    }
    question = said["Why do harbours have bells?"]
    assert question["parent_id"] is None
    assert said["For fog."]["parent_id"] == question["id"]
    assert said["Because of **fog**, mostly."]["parent_id"] == question["id"]
    assert said["Because of **fog**, mostly."]["model"] == "gpt-4o-mini"
    last = said["I looked it up.\n\nNobody knows."]
    assert bells["head"] == last["id"]
    assert last["parts"][0] == {"kind": "reasoning", "text": "They want the oldest bell."}
    assert bells["created_at"] == "2023-11-14T22:13:20Z"
    entry = next(one for one in report["conversations"] if one["title"] == "Harbour bells")
    assert entry["id"] == bells["id"]
    assert entry["left_out"] == {"system": 1, "tool": 3}


async def test_images_are_named_and_a_reply_that_was_cut_says_so(alice: Client) -> None:
    report = await take(alice, CHATGPT)
    [picture] = (await listed(alice, archived=True)).values()
    assert picture["title"] == "What is on this picture?"
    said = {m["content"]: m for m in (await messages(alice, picture["id"])).values()}
    assert set(said) == {"What is on this picture?", "A boat, I th", "[image]"}
    assert said["A boat, I th"]["status"] == "stopped"
    assert said["[image]"]["parent_id"] == said["A boat, I th"]["id"]
    entry = next(one for one in report["conversations"] if one["id"] == picture["id"])
    assert entry["left_out"] == {"image": 2, "tool": 1}


async def test_nodes_that_make_no_sense_cost_only_themselves(alice: Client) -> None:
    report = await take(alice, CHATGPT)
    odd = (await listed(alice))["Odd tides"]
    said = [m["content"] for m in (await messages(alice, odd["id"])).values()]
    assert sorted(said) == ["Kept, though its parent is missing", "Out of time"]
    entry = next(one for one in report["conversations"] if one["id"] == odd["id"])
    assert entry["left_out"] == {"unreachable": 2, "unknown": 2, "empty": 1}


async def test_a_second_import_adds_nothing_and_a_grown_conversation_only_what_is_new(
    alice: Client,
) -> None:
    first = await take(alice, CHATGPT)

    def everything() -> list[Any]:
        rows = Message.objects.order_by("id").values()
        return [*rows, *Conversation.objects.order_by("id").values()]

    before = await threads.read(everything)
    second = await take(alice, zipped(("conversations.json", CHATGPT)), "application/zip")
    assert (second["added"], second["messages"], second["already_there"]) == (0, 0, 3)
    assert second["left_out"] == first["left_out"]
    assert await threads.read(everything) == before

    grown = json.loads(CHATGPT)
    bells = grown[0]
    bells["mapping"]["q3"] = {
        "id": "q3",
        "parent": "r2b",
        "children": [],
        "message": {
            **bells["mapping"]["q1"]["message"],
            "content": {"content_type": "text", "parts": ["Then ask a diver."]},
        },
    }
    bells["current_node"] = "q3"
    third = await take(alice, json.dumps(grown).encode())
    assert (third["added"], third["grown"], third["messages"]) == (0, 1, 1)
    tree = await messages(alice, (await listed(alice))["Harbour bells"]["id"])
    assert "Then ask a diver." in {m["content"] for m in tree.values()}


async def test_what_was_said_here_since_stays_in_view(alice: Client) -> None:
    await take(alice, CHATGPT)
    bells = (await listed(alice))["Harbour bells"]
    await asked(alice, bells["id"], script({"text": "said here"}))
    head = (await listed(alice))["Harbour bells"]["head"]
    await take(alice, CHATGPT)
    assert (await listed(alice))["Harbour bells"]["head"] == head


async def test_an_imported_conversation_goes_on(alice: Client) -> None:
    await take(alice, CHATGPT)
    bells = (await listed(alice))["Harbour bells"]
    assert bells["model"] is None
    await asked(alice, bells["id"], script({"text": "and on"}))
    tree = await messages(alice, bells["id"])
    newest = (await listed(alice))["Harbour bells"]["head"]
    assert tree[newest]["content"] == "and on"


async def test_two_people_may_import_the_same_file(alice: Client, bob: Client) -> None:
    assert (await take(alice, CHATGPT))["added"] == 3
    assert (await take(bob, CHATGPT))["added"] == 3
    hers, his = await listed(alice), await listed(bob)
    assert not {one["id"] for one in hers.values()} & {one["id"] for one in his.values()}


async def test_a_form_is_taken_and_progress_is_told_line_by_line(alice: Client) -> None:
    file = SimpleUploadedFile("conversations.json", CHATGPT, "application/json")
    response = await alice.post(
        "/api/import", data={"file": file}, headers={"Accept": "application/jsonl"}
    )
    assert response.status_code == 200
    assert response["Content-Type"] == "application/jsonl"
    text = b"".join([piece async for piece in response])
    *progress, last = [json.loads(line) for line in text.splitlines()]
    assert progress[-1] == {"progress": {"done": 4, "total": 4}}
    assert last["report"]["added"] == 3


@pytest.mark.parametrize(
    ("data", "kind", "expected"),
    [
        (b" ", "application/json", (422, "invalid_field")),
        (b"[]", "application/json", (422, "invalid_field")),
        (b'{"hello": "world"}', "application/json", (422, "invalid_field")),
        (b"{", "application/json", (400, "bad_json")),
        (CHATGPT[:-200], "application/json", (400, "bad_json")),
        (CHATGPT + b"]", "application/json", (400, "bad_json")),
        (b'[{"mapping": {}},]', "application/json", (400, "bad_json")),
        (b"\xff\xfe[", "application/json", (400, "bad_json")),
        (b"[" * 200_000, "application/json", (400, "bad_json")),
        (b'[{"a":' * 100_000, "application/json", (400, "bad_json")),
        (b"1", "application/json", (400, "bad_json")),
        (b"[1" + b"0" * 10_000 + b"]", "application/json", (400, "bad_json")),
        (b"PK\x03\x04 and nothing else", "application/zip", (400, "bad_json")),
        (zipped(("readme.txt", b"no")), "application/zip", (400, "bad_json")),
        (b"hello", "text/plain", (415, "unsupported_type")),
        (b"--x\r\n", "multipart/form-data; boundary=x", (422, "invalid_field")),
    ],
)
async def test_what_cannot_be_read_adds_nothing(
    alice: Client, data: bytes, kind: str, expected: tuple[int, str]
) -> None:
    response = await alice.post("/api/import", data=data, content_type=kind)
    assert error_of(response) == expected
    assert await threads.read(Conversation.objects.count) == 0


HOSTILE: list[Any] = [
    {"mapping": []},
    {"mapping": {"a": None, "b": 5, "c": {"message": {"author": [], "content": 3}}}},
    {"mapping": {"a": {"message": {"author": {"role": ["x"]}, "content": {"parts": {}}}}}},
    {"mapping": {"a": {"parent": {}, "message": {"author": {"role": "user"}, "content": {}}}}},
    {"format": "holdfast.conversation"},
    {"format": "holdfast.conversation", "version": 99, "conversation": {}, "messages": []},
    {"format": "holdfast.conversation", "version": 1, "conversation": {"id": 5}, "messages": []},
    {"format": "holdfast.conversation", "version": 1, "conversation": {"id": "a"}, "messages": [
        5, {}, {"id": "x", "role": "robot", "parts": []}, {"id": "y", "role": "user", "parts": 3},
    ]},
]  # fmt: skip


async def test_no_conversation_however_odd_stops_the_others(alice: Client) -> None:
    report = await take(alice, json.dumps([*HOSTILE, *json.loads(CHATGPT)]).encode())
    assert report["added"] == 3
    assert sum(report["refused"].values()) == len(HOSTILE) + 1


async def test_fields_that_do_not_fit_are_left_and_the_text_is_kept(alice: Client) -> None:
    item = {
        "format": "holdfast.conversation",
        "version": 1,
        "conversation": {
            "id": "c\ud800", "title": "a\x00b " + "x" * 500, "model": "unknown", "settings": {
                "temperature": 99, "max_output_tokens": True, "evil": 1,
            }, "created_at": "1066-10-14T09:00:00Z", "updated_at": 1e300, "head": "nowhere",
            "pinned": "yes",
        },
        "messages": [
            {"id": "m\ud800", "parent_id": "m\ud800x", "role": "user", "created_at": "never",
             "parts": [{"kind": "text", "text": "kept \ud800\x00"}, {"kind": "image"}],
             "rating": 1},
            {"id": "r", "parent_id": "m\ud800", "role": "assistant", "status": ["running"],
             "parts": [{"kind": "text", "text": "so far"}], "rating": 7, "usage": {
                "input_tokens": -1, "output_tokens": 10**30}, "duration_ms": 1.5},
        ],
    }  # fmt: skip
    assert (await take(alice, json.dumps(item).encode()))["added"] == 1
    [kept] = (await listed(alice)).values()
    assert len(kept["title"]) == 200
    assert (kept["settings"], kept["model"], kept["pinned"]) == ({}, None, False)
    question, reply = (await messages(alice, kept["id"])).values()
    assert question["content"].startswith("kept ")
    assert (reply["status"], reply["content"]) == ("interrupted", "so far")
    assert (reply["usage"], reply["duration_ms"], kept["head"]) == (None, None, reply["id"])


async def test_a_long_conversation_is_written_in_steps(alice: Client) -> None:
    nodes: dict[str, Any] = {}
    for number in range(1000):
        nodes[f"n{number}"] = {
            "parent": f"n{number - 1}" if number else None,
            "message": {
                "author": {"role": "assistant" if number % 2 else "user"},
                "content": {"content_type": "text", "parts": [f"number {number}"]},
            },
        }
    long = json.dumps([{"title": "Long", "conversation_id": "long", "mapping": nodes}]).encode()
    response = await alice.post(
        "/api/import",
        data=long,
        content_type="application/json",
        headers={"Accept": "application/jsonl"},
    )
    lines = [json.loads(line) for line in b"".join([p async for p in response]).splitlines()]
    assert len(lines) == 6
    assert lines[-1]["report"]["messages"] == 1000
    conversation = (await listed(alice))["Long"]["id"]
    branch = (await alice.ask("GET", f"/api/conversations/{conversation}")).json()["messages"]
    assert [m["content"] for m in branch] == [f"number {number}" for number in range(1000)]


async def test_a_bomb_is_refused_before_it_is_unpacked(alice: Client, settings: Settings) -> None:
    settings.IMPORT_BYTES = 1_000_000
    bomb = zipped(("conversations.json", b"[" + b" " * 5_000_000 + b"]"))
    assert len(bomb) < 10_000
    response = await alice.post("/api/import", data=bomb, content_type="application/zip")
    assert error_of(response) == (413, "too_large")


def test_an_entry_that_lies_about_its_size_is_refused() -> None:
    data = bytearray(zipped(("conversations.json", b"[" + b" " * 5_000_000 + b"]")))
    for mark, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<L", data, data.index(mark) + offset, 100)
    with pytest.raises((BadJson, TooLarge)):
        list(found_in(io.BytesIO(bytes(data)), most_bytes=MOST))


def test_a_directory_that_begins_nowhere_is_told(tmp_path: Path) -> None:
    path = tmp_path / "export.zip"
    data = bytearray(zipped(("conversations.json", b"[]")))
    struct.pack_into("<L", data, data.rindex(b"PK\x05\x06") + 16, 2**31)
    path.write_bytes(data)
    with path.open("rb") as file, pytest.raises(BadJson):
        list(found_in(file, most_bytes=MOST))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_unpack_in_one_go_are_refused(method: int) -> None:
    data = zipped(("conversations.json", b"[]"), method=method)
    with pytest.raises(BadJson):
        list(found_in(io.BytesIO(data), most_bytes=MOST))


def test_a_zip_is_read_from_any_folder_and_in_parts() -> None:
    data = zipped(
        ("export/conversations-001.json", b'[{"n": 2}]'),
        ("export/conversations-000.json", b'[{"n": 1}]'),
        ("export/user.json", b'[{"n": 3}]'),
    )
    assert list(found_in(io.BytesIO(data), most_bytes=MOST)) == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[]", []),
        ('[{"a": 1}, {"b": [2, {}]}]', [{"a": 1}, {"b": [2, {}]}]),
        ('{"a": 1}\n{"b": 2}\n', [{"a": 1}, {"b": 2}]),
        ('{"x": 1, "conversations": [{"a": 1}, {"b": 2}], "y": 2}', [{"a": 1}, {"b": 2}]),
        ('\ufeff [1, 22, "ü"] ', [1, 22, "ü"]),
        ("{}", [{}]),
    ],
)
@pytest.mark.parametrize("step", [1, 2, 3, 1000])
def test_values_are_read_however_the_file_comes(text: str, found: list[Any], step: int) -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(step)

    assert list(items(Slow(text.encode()))) == found


@pytest.mark.parametrize("text", ["[1", "[1,]", "[1 2]", '{"a" 1}', "{,}", '{"a":1,}', "nul", "]"])
def test_broken_values_are_told(text: str) -> None:
    with pytest.raises(BadJson):
        list(items(io.BytesIO(text.encode())))


async def test_a_file_may_be_larger_than_other_bodies_up_to_its_own_limit(
    settings: Settings,
) -> None:
    settings.BODY_BYTES, settings.IMPORT_BYTES = 1000, 200_000
    taken: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            size += len(message["body"])
            more = message["more_body"]
        taken.append(size)

    async def post(path: str, chunks: int, method: str = "POST") -> list[Any]:
        left = chunks
        sent: list[Any] = []

        async def receive() -> Any:
            nonlocal left
            left -= 1
            return {"type": "http.request", "body": b"x" * 10_000, "more_body": left > 0}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "http", "method": method, "path": path, "headers": []}
        await BodyLimit(app)(scope, receive, send)
        return sent

    assert await post("/api/import", 20) == []
    assert taken == [200_000]
    assert (await post("/api/import", 40))[0]["status"] == 413
    assert (await post("/api/conversations", 2))[0]["status"] == 413
    assert (await post("/healthz", 2, "GET"))[0]["status"] == 413
    assert taken == [200_000]


async def test_a_long_conversation_can_be_deleted_from_its_first_message_on(alice: Client) -> None:
    found = [
        {
            "id": str(number),
            "parent_id": str(number - 1) if number else None,
            "role": "assistant" if number % 2 else "user",
            "parts": [{"kind": "text", "text": "x"}],
            "status": "completed",
        }
        for number in range(1500)
    ]
    item = {
        "format": "holdfast.conversation",
        "version": 1,
        "conversation": {"id": "deep", "title": "Deep"},
        "messages": found,
    }
    await take(alice, json.dumps(item).encode())
    conversation = (await listed(alice))["Deep"]["id"]
    tree = await messages(alice, conversation)
    first = next(m["id"] for m in tree.values() if m["parent_id"] is None)
    assert (await alice.ask("DELETE", f"/api/messages/{first}")).status_code == 204
    assert await messages(alice, conversation) == {}


def ours(*messages: dict[str, Any]) -> bytes:
    about = {"id": "x", "title": "Ours"}
    whole = {"format": FORMAT, "version": 1, "conversation": about, "messages": messages}
    return json.dumps(whole).encode()


def said(name: str, parent: str | None, content: str, **more: Any) -> dict[str, Any]:
    role = "user" if name.startswith("q") else "assistant"
    parts = [{"kind": "text", "text": content}]
    return {"id": name, "parent_id": parent, "role": role, "parts": parts, **more}


async def branch_of(client: Client) -> list[dict[str, Any]]:
    conversation = (await listed(client))["Ours"]["id"]
    found = (await client.ask("GET", f"/api/conversations/{conversation}")).json()
    return list(found["messages"])


async def test_a_message_that_is_too_long_leaves_no_gap_in_its_conversation(alice: Client) -> None:
    data = ours(
        said("q1", None, "first"),
        said("a1", "q1", "x" * (MESSAGE_CHARACTERS + 1)),
        said("q2", "a1", "second"),
        said("a2", "q2", "answer"),
    )
    report = await take(alice, data)
    assert report["left_out"] == {"too_long": 1}
    assert [m["content"] for m in await branch_of(alice)] == ["first", "second", "answer"]


async def test_a_part_without_text_is_none(alice: Client) -> None:
    parts = [{"kind": "reasoning", "text": ""}, {"kind": "text", "text": "Hold"}]
    file = {"kind": "attachment", "attachment": {"name": "knots.txt"}}
    empty = {"kind": "text", "text": ""}
    await take(
        alice,
        ours(
            {**said("q1", None, ""), "parts": [file, empty]},
            {**said("a1", "q1", ""), "parts": parts},
        ),
    )
    question, reply = await branch_of(alice)
    assert question["content"] == "[knots.txt]"
    assert (reply["parts"], reply["cursor"]) == (parts[1:], "1-4")
    stored = await threads.read(lambda: Message.objects.get(id=reply["id"]))
    assert stored.parts == parts[1:]


async def test_what_was_said_in_the_future_is_said_now(alice: Client) -> None:
    later = "2087-01-01T00:00:00+00:00"
    await take(alice, ours(said("q1", None, "first", created_at=later), said("a1", "q1", "then")))
    now = datetime.now(UTC).isoformat()
    assert all(message["created_at"] < now for message in await branch_of(alice))


@pytest.mark.parametrize("text", ['{%s"x": 1}', "[[%s1]]"])
def test_what_would_take_too_much_memory_at_once_is_refused(text: str) -> None:
    much = '"%d": ' if text.startswith("{") else ""
    # As many characters as lists of lists, which would take twenty times that, and a minute, too.
    members = "".join(f'{much % n if much else ""}["{"x" * 900_000}"],' for n in range(20))
    with pytest.raises(TooLarge):
        list(items(io.BytesIO((text % members).encode())))


async def test_a_person_has_one_import_at_a_time(alice: Client, bob: Client) -> None:
    lines = {"Accept": "application/jsonl"}
    first = await alice.post("/api/import", CHATGPT, "application/json", headers=lines)
    second = await alice.post("/api/import", data=CHATGPT, content_type="application/json")
    assert error_of(second) == (429, "too_many_requests")
    assert (await take(bob, CHATGPT))["added"] == 3
    assert b"report" in b"".join([piece async for piece in first])
    await threads.read(first.close)
    assert (await take(alice, CHATGPT))["added"] == 0
