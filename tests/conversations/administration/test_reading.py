"""Reading what people write needs a permission of its own, and is noted."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from conversations.models import ApiKey, Conversation, Webhook
from streaming.models import Run
from tests.conversations.administration.rows import SECRET, reply, running, say, staff_with

pytestmark = pytest.mark.django_db

LIST = reverse("admin:holdfast_conversations_conversation_changelist")
RUNS = reverse("admin:holdfast_streaming_run_changelist")
METADATA = ("change_conversation", "delete_conversation", "view_run", "change_run", "view_message")


def change(conversation: Conversation) -> str:
    return reverse("admin:holdfast_conversations_conversation_change", args=[conversation.pk])


@pytest.fixture
def told(conversation: Conversation) -> Run:
    """The word is in a question, a reply, a comment, a file's name and a text in flight."""
    asked = say(conversation, f"What is {SECRET}?")
    asked.parts.append(
        {
            "kind": "attachment",
            "attachment": {
                "id": str(asked.id),
                "name": f"{SECRET}.txt",
                "content_type": "text/plain",
                "size": 3,
            },
        }
    )
    asked.save()
    reply(conversation, f"{SECRET} is a seed", asked, rating=1, comment=f"more {SECRET}")
    return running(conversation, f"So {SECRET}")


def test_without_the_permission_no_page_has_a_word_of_anybody(
    conversation: Conversation, told: Run
) -> None:
    staff = staff_with(*METADATA)
    delete = reverse("admin:holdfast_conversations_conversation_delete", args=[conversation.pk])
    history = reverse("admin:holdfast_conversations_conversation_history", args=[conversation.pk])
    run = reverse("admin:holdfast_streaming_run_change", args=[told.pk])
    live = reverse("admin:holdfast_streaming_run_live")
    for url in (
        LIST,
        change(conversation),
        delete,
        history,
        RUNS,
        live,
        run,
        reverse("admin:index"),
    ):
        response = staff.get(url)
        assert response.status_code == 200, url
        assert SECRET not in response.content.decode(), url
    assert str(conversation.pk) in staff.get(LIST).content.decode()
    text = reverse("admin:holdfast_streaming_run_text", args=[told.pk])
    assert staff.get(text).status_code == 403
    assert staff.post(LIST, {"action": "delete_selected", "_selected_action": conversation.pk})
    assert not LogEntry.objects.exists()


def test_a_search_without_the_permission_finds_no_words(
    conversation: Conversation, told: Run, boss: Client
) -> None:
    staff = staff_with(*METADATA)

    def found(client: Client, **query: Any) -> int:
        return int(client.get(LIST, query).context["cl"].result_count)

    assert found(boss, q=SECRET) == 1
    assert found(staff, q=SECRET) == 0
    assert found(staff, q="alice") == found(staff, q=str(conversation.pk)) == 1
    sorted_by_title = staff.get(LIST, {"o": "1"}).context["cl"].queryset.query.order_by
    assert "title" not in str(sorted_by_title)


def test_a_change_without_the_permission_keeps_title_and_prompt(
    conversation: Conversation, told: Run
) -> None:
    staff = staff_with(*METADATA)
    form = {
        "model": "other",
        "settings": "{}",
        "initial-settings": "{}",
        "title": "taken",
    }
    assert staff.post(change(conversation), form).status_code == 302
    kept = Conversation.objects.get()
    assert (kept.model, kept.system_prompt) == ("other", SECRET)
    assert kept.title == conversation.title


def test_nobody_makes_a_conversation_theirs_to_read_it_in_the_chat(
    conversation: Conversation, alice: Any
) -> None:
    thief = staff_with(*METADATA)
    form = {"owner": thief.session["_auth_user_id"], "settings": "{}", "initial-settings": "{}"}
    assert thief.post(change(conversation), form).status_code == 302
    assert Conversation.objects.get().owner == alice


def test_a_key_for_somebody_else_is_made_by_superusers_only(alice: Any, boss: Client) -> None:
    staff = staff_with("add_apikey", "read_messages")
    url = reverse("admin:holdfast_conversations_apikey_add")
    form = {"owner": alice.pk, "name": "robot", "scopes": ["read"]}
    for client in (staff, boss):
        assert client.post(url, form).status_code == 200
    assert 'name="owner"' not in staff.get(url).content.decode()
    owners = ApiKey.objects.order_by("pk").values_list("owner_id", flat=True)
    assert list(owners) == [int(staff.session["_auth_user_id"]), alice.pk]


def test_texts_are_sent_somewhere_only_by_those_who_may_read_them(db: None) -> None:
    may = ("add_webhook", "change_webhook")
    blind, reader = staff_with(*may), staff_with(*may, "read_messages")
    add = reverse("admin:holdfast_conversations_webhook_add")
    form = {"url": "https://mine.example/", "enabled": "on", "with_content": "on"}
    for client in (blind, reader):
        assert client.post(add, form).status_code == 200
    rows = Webhook.objects.order_by("pk")
    assert list(rows.values_list("with_content", flat=True)) == [False, True]
    for hook in rows:
        url = reverse("admin:holdfast_conversations_webhook_change", args=[hook.pk])
        changes = {"url": "https://thief.example/", "description": "Ours", "with_content": "on"}
        assert blind.post(url, changes).status_code == 302
    kept = list(rows.values_list("url", "description", "enabled", "with_content"))
    assert kept == [
        ("https://mine.example/", "Ours", False, False),
        ("https://mine.example/", "Ours", False, True),
    ]


def test_each_reading_is_noted_in_the_log(conversation: Conversation, told: Run) -> None:
    staff = staff_with(*METADATA, "read_messages")
    for _ in range(2):
        assert SECRET in staff.get(change(conversation)).content.decode()
    page = staff.get(reverse("admin:holdfast_streaming_run_change", args=[told.pk]))
    assert f"So {SECRET}" in page.content.decode()
    entries = LogEntry.objects.order_by("pk").values_list("object_id", "change_message")
    assert list(entries) == [
        (str(conversation.pk), "Read the messages."),
        (str(conversation.pk), "Read the messages."),
        (str(told.pk), "Read the text so far."),
    ]
    assert not LogEntry.objects.filter(object_repr__contains=SECRET).exists()


def test_a_running_text_is_read_on_only_from_a_page_that_was_noted(
    conversation: Conversation, told: Run, boss: Client
) -> None:
    staff = staff_with(*METADATA, "read_messages")
    text = reverse("admin:holdfast_streaming_run_text", args=[told.pk])
    assert staff.get(text).status_code == 403
    page = reverse("admin:holdfast_streaming_run_change", args=[told.pk])
    address = staff.get(page).context["text_address"]
    answer = staff.get(address).json()
    assert answer == {"parts": [["text", f"So {SECRET}"]], "running": True}
    assert boss.get(address).status_code == 403  # opened by somebody else
