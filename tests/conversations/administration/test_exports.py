"""Exports and deletions of any selection."""

import csv
import io
import json
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.admin.models import LogEntry
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from conversations.exports import bulk
from conversations.models import Conversation, Message
from streaming import threads
from streaming.models import Run
from tests.conversations.administration.rows import SECRET, reply, running, say, staff_with
from tests.integration.servers import eventually

pytestmark = pytest.mark.django_db(transaction=True)

MESSAGES = "admin:holdfast_conversations_message_export"
CONVERSATIONS = "admin:holdfast_conversations_conversation_export"
LIST = reverse("admin:holdfast_conversations_conversation_changelist")
DELETE_ALL = reverse("admin:holdfast_conversations_conversation_delete_all")


def body(response: Any) -> str:
    """Read a stream to its end."""

    async def read() -> bytes:
        found = b"".join([piece async for piece in response.streaming_content])
        await threads.close_connections()
        return found

    return async_to_sync(read)().decode()


def table(client: Client, name: str, **query: Any) -> list[dict[str, str]]:
    response = client.get(reverse(name, args=["csv"]), query)
    assert response.status_code == 200
    return list(csv.DictReader(io.StringIO(body(response).removeprefix("\ufeff"))))


@pytest.mark.parametrize("name", [MESSAGES, CONVERSATIONS])
def test_an_export_has_every_message_once(
    boss: Client, conversation: Conversation, name: str
) -> None:
    call_command("make_sample_data", "--messages", "2500", verbosity=0)
    say(conversation, "last")
    rows = table(boss, name)
    assert len(rows) == Message.objects.count() == 2501
    assert len({row["id"] for row in rows}) == 2501
    lines = body(boss.get(reverse(name, args=["jsonl"]))).splitlines()
    assert {json.loads(line)["id"] for line in lines} == {row["id"] for row in rows}
    assert {row["owner"] for row in rows} == {"sample", "alice"}


def test_messages_of_one_moment_are_all_exported(boss: Client, conversation: Conversation) -> None:
    """Pages go on by time and id."""
    first = say(conversation, "first")
    rows = [
        Message(
            conversation=conversation,
            role="user",
            created_at=first.created_at,
            settled_at=first.created_at,
        )
        for _ in range(1500)
    ]
    Message.objects.bulk_create(rows)
    assert len({row["id"] for row in table(boss, MESSAGES)}) == 1501


def test_an_export_has_what_the_filters_show(boss: Client, conversation: Conversation) -> None:
    asked = say(conversation, "Q")
    reply(conversation, "A", asked, status="failed", reason="deadline")
    reply(conversation, "B", asked)
    assert [row["content"] for row in table(boss, MESSAGES, status="failed")] == ["A"]
    assert [row["content"] for row in table(boss, MESSAGES, q=str(asked.id))] == ["Q"]
    assert len(table(boss, CONVERSATIONS, q="alice")) == 3
    assert table(boss, CONVERSATIONS, q="nobody") == []


def test_the_ticked_rows_are_exported(boss: Client, conversation: Conversation) -> None:
    asked = say(conversation, "Q")
    say(conversation, "R")
    data = {"action": "export_csv", "_selected_action": [str(asked.id)]}
    url = reverse("admin:holdfast_conversations_message_changelist")
    assert len(body(boss.post(url, data)).splitlines()) == 2
    everything = {**data, "select_across": "1"}
    assert len(body(boss.post(url, everything)).splitlines()) == 3


def test_a_spreadsheet_finds_no_formula(boss: Client, conversation: Conversation) -> None:
    say(conversation, "=HYPERLINK(1)")
    Conversation.objects.update(title="@SUM(1)")
    (row,) = table(boss, MESSAGES)
    assert (row["content"], row["title"]) == ("'=HYPERLINK(1)", "'@SUM(1)")


def test_an_export_without_the_permission_has_figures_only(conversation: Conversation) -> None:
    asked = say(conversation, SECRET)
    reply(conversation, SECRET, asked, rating=1, comment=SECRET, input_tokens=3, output_tokens=4)
    staff = staff_with("view_message", "view_conversation")
    for name in (MESSAGES, CONVERSATIONS):
        for form in ("csv", "jsonl"):
            written = body(staff.get(reverse(name, args=[form])))
            assert SECRET not in written
            assert str(asked.id) in written
    assert "Exported messages as CSV, without texts." in LogEntry.objects.values_list(
        "change_message", flat=True
    )


def test_who_exports_texts_is_noted(boss: Client, conversation: Conversation) -> None:
    boss.get(reverse(MESSAGES, args=["jsonl"]))
    entry = LogEntry.objects.get()
    assert entry.change_message == "Exported messages as JSONL."


def test_exports_need_their_permission(conversation: Conversation) -> None:
    staff = staff_with("read_messages", "view_run")
    for name in (MESSAGES, CONVERSATIONS):
        assert staff.get(reverse(name, args=["csv"])).status_code == 403
    assert staff.get(DELETE_ALL).status_code == 403


def test_an_export_that_is_left_gives_its_connection_back(conversation: Conversation) -> None:
    """And reads no page that nobody asked for."""
    Message.objects.bulk_create(
        Message(
            conversation=conversation,
            role="user",
            created_at=conversation.updated_at,
            settled_at=conversation.updated_at,
        )
        for _ in range(3000)
    )

    async def is_given_back() -> bool:
        return await threads.bulk(lambda: connection.connection is None)

    async def leave() -> int:
        pieces = bulk.messages(bulk.Table("csv", True), Message.objects.all())
        got = [await anext(pieces), await anext(pieces)]
        await pieces.aclose()
        await eventually(is_given_back, 5, "the connection is kept")
        await threads.close_connections()
        return len(got)

    assert async_to_sync(leave)() == 2


def test_all_of_a_list_is_deleted_step_by_step(boss: Client, conversation: Conversation) -> None:
    call_command("make_sample_data", "--messages", "1500", verbosity=0)
    run = running(conversation)
    kept = Conversation.objects.filter(owner__username="sample").count()
    query = f"{DELETE_ALL}?q=sample"
    assert f"{kept} conversations match" in boss.get(query).content.decode()
    deleted = 0
    for _ in range(50):
        told = boss.post(query, {}, headers={"Accept": "application/json"}).json()
        deleted += told["deleted"]
        if not told["left"]:
            break
    assert deleted == kept
    assert Conversation.objects.get() == conversation
    assert LogEntry.objects.filter(object_repr__contains="conversations").exists()
    assert not Run.objects.get().discarded
    boss.post(DELETE_ALL)
    assert not Conversation.objects.exists()
    assert Run.objects.get(id=run.id).discarded


def test_what_is_made_meanwhile_is_not_deleted(boss: Client, conversation: Conversation) -> None:
    until = boss.get(DELETE_ALL).context["until"]
    later = Conversation.objects.create(
        owner=conversation.owner, updated_at=conversation.updated_at
    )
    boss.post(DELETE_ALL, {"until": until})
    assert Conversation.objects.get() == later
