"""Exports: what a person owns, as files."""

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from conversations.exports import downloads
from conversations.exports.documents import closed
from conversations.exports.downloads import as_json
from conversations.exports.filenames import file_name
from conversations.models import Conversation, Message, Prompt, new_id
from streaming import threads
from streaming.responses import disposition
from tests.conftest import Client
from tests.conversations.chatting import asked, converse, messages, script, send
from tests.conversations.files import attached
from tests.conversations.test_sharing import _settled as settled
from tests.waiting import until


async def download(client: Client, path: str) -> tuple[str, Any]:
    """Returns the text and the response."""
    response = await client.ask("GET", path)
    assert response.status_code == 200, response.content
    assert response.streaming
    assert response["Content-Disposition"].startswith("attachment; ")
    return b"".join([piece async for piece in response]).decode(), response


def export(conversation: str, form: str) -> str:
    return f"/api/conversations/{conversation}/export?format={form}"


async def test_the_json_has_the_whole_tree(alice: Client) -> None:
    conversation = await converse(alice, title="Knots", settings={"temperature": 1})
    reply = await asked(alice, conversation, script({"reasoning": "hm"}, {"text": "one"}))
    await alice.ask("POST", f"/api/messages/{reply}/regenerate", {})
    await until(lambda: settled(alice, conversation))
    text, response = await download(alice, export(conversation, "json"))
    assert response["Content-Type"] == "application/json"
    found = json.loads(text)
    assert (found["format"], found["version"]) == ("holdfast.conversation", 1)
    assert found["conversation"]["title"] == "Knots"
    assert found["conversation"]["settings"] == {"temperature": 1}
    stored = await messages(alice, conversation)
    assert {m["id"]: m["parent_id"] for m in found["messages"]} == {
        one: m["parent_id"] for one, m in stored.items()
    }
    assert found["messages"][1]["parts"] == stored[reply]["parts"]
    assert {m["rating"] for m in found["messages"]} == {0}


async def test_a_reply_in_flight_is_exported_with_its_text_so_far(
    alice: Client, providers: Any
) -> None:
    conversation = await converse(alice)
    await send(alice, conversation, script({"text": "so far"}, {"gate": "on"}))

    async def written() -> bool:
        found = (await messages(alice, conversation)).values()
        return any(message["content"] == "so far" for message in found)

    await until(written)
    found = json.loads((await download(alice, export(conversation, "json")))[0])
    assert (found["messages"][1]["status"], found["messages"][1]["content"]) == (
        "running",
        "so far",
    )
    (providers / "on").touch()
    await until(lambda: settled(alice, conversation))


async def test_the_document_says_who_said_what_on_the_visible_branch(alice: Client) -> None:
    conversation = await converse(alice, title="Knots  &\nropes")
    await asked(alice, conversation, script({"text": "unseen"}))
    await alice.ask("PATCH", f"/api/conversations/{conversation}", {"head": None})
    await asked(alice, conversation, script({"text": "# Loop\n\n```py\nx = 1\n```"}))
    text, response = await download(alice, export(conversation, "md"))
    assert response["Content-Type"] == "text/markdown; charset=utf-8"
    assert text.startswith("# Knots & ropes\n\n---\n\n**You** · 20")
    assert "**scripted** · 20" in text.lower()
    assert "\n\n# Loop\n\n```py\nx = 1\n```\n" in text
    assert "unseen" not in text.replace(script({"text": "unseen"}), "")


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("plain", "plain"),
        ("```py\nx", "```py\nx\n```"),
        ("~~~~\n```\nx", "~~~~\n```\nx\n~~~~"),
        ("```\nx\n```", "```\nx\n```"),
        ("````\n```\n", "````\n```\n\n````"),
        ("``` not`code ```", "``` not`code ```"),
        ("    ```\n", "    ```\n"),
    ],
)
def test_a_fence_that_was_left_open_is_closed(text: str, whole: str) -> None:
    assert closed(text) == whole


HOSTILE = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"]


async def test_no_cell_is_a_formula(alice: Client) -> None:
    conversation = await converse(alice, title="=cmd|' /C calc'!A0")
    for text in HOSTILE:
        await asked(alice, conversation, text)
    for path in (export(conversation, "csv"), "/api/export?format=csv"):
        text, response = await download(alice, path)
        assert response["Content-Type"] == "text/csv; charset=utf-8"
        assert text.startswith("\ufeffconversation_id,")
        rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
        assert [row["content"] for row in rows if row["role"] == "user"] == [
            f"'{one}" for one in HOSTILE
        ]
        assert {row["title"] for row in rows} == {"'=cmd|' /C calc'!A0"}
        assert not [cell for row in rows for cell in row.values() if cell[:1] in set("=+-@\t\r")]


async def test_everything_of_mine_is_one_conversation_in_a_line(alice: Client, bob: Client) -> None:
    mine = {await converse(alice, title=f"number {n}") for n in range(3)}
    await asked(alice, next(iter(mine)), "Hello")
    await converse(bob, title="not hers")
    text, response = await download(alice, "/api/export")
    lines = [json.loads(line) for line in text.splitlines()]
    assert {line["conversation"]["id"] for line in lines} == mine
    assert sum(len(line["messages"]) for line in lines) == 2
    assert re.search(
        r'filename="holdfast-conversations-\d{4}-\d\d-\d\d\.jsonl"', str(response.headers)
    )


async def test_the_account_holds_everything_that_is_kept(
    alice: Client, bob: Client, settings: Settings, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
    conversation = await converse(alice, title="Knots")
    await asked(alice, conversation, "Hello")
    await alice.ask("POST", f"/api/conversations/{conversation}/share", {})
    await threads.write(
        lambda: Prompt.objects.create(owner=alice.user, name="Greet", content="Say hello")
    )
    file = await attached(alice)
    await asked(alice, conversation, "Look", attachments=[file["id"]])
    await converse(bob, title="not hers")
    found = json.loads((await download(alice, "/api/account/export"))[0])
    assert found["format"] == "holdfast.account"
    assert found["account"]["name"] == "alice"
    assert [prompt["content"] for prompt in found["prompts"]] == ["Say hello"]
    assert [share["conversation_id"] for share in found["shares"]] == [conversation]
    assert [one["conversation"]["title"] for one in found["conversations"]] == ["Knots"]
    [*_, question, _reply] = found["conversations"][0]["messages"]
    named = {**file, "message_id": question["id"]}
    assert named.items() <= found["attachments"][0].items()
    assert question["parts"][0]["attachment"]["url"] == file["url"]
    nothing = json.loads((await download(bob, "/api/account/export"))[0])
    assert (nothing["shares"], nothing["attachments"]) == ([], [])


@pytest.mark.parametrize("deleted", [1, 2, 3])
async def test_what_is_deleted_while_the_account_is_exported_leaves_no_gap(
    alice: Client, deleted: int
) -> None:
    titles = ["Bowline", "Hitch", "Reef", "Sheet"]
    made = [await converse(alice, title=title) for title in titles]
    gone = Conversation.objects.filter(id=made[deleted])
    text = b""
    async for piece in downloads.account(alice.user.pk):
        text += piece
        if titles[deleted - 1].encode() in piece:  # the page of ids was read before
            await threads.write(gone.delete)
    kept = [one["conversation"]["title"] for one in json.loads(text)["conversations"]]
    assert kept == [title for title in titles if title != titles[deleted]]


async def test_a_long_conversation_is_read_a_little_at_a_time(alice: Client) -> None:
    conversation = await converse(alice, title="Long")

    def fill() -> None:
        now = timezone.now()
        rows, parent = [], None
        for number in range(120):
            row = Message(
                id=new_id(),
                conversation=Conversation.objects.get(id=conversation),
                parent=parent,
                role="assistant" if number % 2 else "user",
                created_at=now,
                settled_at=now,
                content=f"{number} " + "x" * 10_000,
            )
            row.parts = [{"kind": "text", "text": row.content}]
            rows.append(row)
            parent = row
        Message.objects.bulk_create(rows)

    await threads.write(fill)
    pieces = [piece async for piece in as_json(Conversation(id=conversation).id)]
    assert max(len(piece) for piece in pieces) < 50_000
    assert len(json.loads(b"".join(pieces))["messages"]) == 120


async def test_an_unknown_format_is_refused(alice: Client) -> None:
    conversation = await converse(alice)
    response = await alice.ask("GET", export(conversation, "exe"))
    assert response.status_code == 422
    assert response.json()["error"]["field"] == "format"


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Knots", "Knots.md"),
        ("  a / b \\ c: d?  ", "a b c d.md"),
        ("../../etc/passwd", "etc passwd.md"),
        ("", "holdfast.md"),
        ("...", "holdfast.md"),
        ("CON", "holdfast CON.md"),
        ("aux.txt", "holdfast aux.txt.md"),
        ("x" * 300, "x" * 80 + ".md"),
        ("a\r\nSet-Cookie: b=c", "a Set-Cookie b=c.md"),
        ("evil\u202egpj", "evil gpj.md"),
        ("结绳记事", "结绳记事.md"),
    ],
)
def test_a_title_becomes_a_name_that_every_system_takes(title: str, name: str) -> None:
    assert file_name(title, "md", default="holdfast") == name


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Knots.md", 'attachment; filename="Knots.md"'),
        ("Žába.md", "attachment; filename=\"Zaba.md\"; filename*=UTF-8''%C5%BD%C3%A1ba.md"),
        (
            "结.md",
            "attachment; filename=\"download.md\"; filename*=UTF-8''%E7%BB%93.md",
        ),
        ('a"b.md', "attachment; filename=\"a_b.md\"; filename*=UTF-8''a%22b.md"),
    ],
)
def test_a_name_is_sent_to_those_who_know_ascii_only_and_to_others(name: str, written: str) -> None:
    assert disposition(name) == written
