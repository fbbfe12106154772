"""An address narrows a list by what the list offers, and by nothing that would tell a text."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from conversations.admin.lookups import GuardedAdmin
from conversations.models import Conversation, Delivery, Webhook, new_id
from tests.conversations.administration.rows import SECRET, reply, say, staff_with

pytestmark = pytest.mark.django_db

GUESSES = [
    ("message", "content__startswith"),
    ("message", "content__regex"),
    ("message", "content__gte"),
    ("message", "parts__0__text__startswith"),
    ("message", "comment__startswith"),
    ("message", "request_digest__startswith"),
    ("message", "conversation__title__startswith"),
    ("message", "children__content__startswith"),
    ("ratedreply", "content__startswith"),
    ("conversation", "title__startswith"),
    ("conversation", "title"),
    ("conversation", "system_prompt__contains"),
    ("conversation", "settings__contains"),
    ("conversation", "messages__content__startswith"),
    ("delivery", "body__contains"),
    ("delivery", "webhook__secret__startswith"),
    ("webhook", "secret__startswith"),
    ("webhook", "deliveries__body__contains"),
    ("apikey", "digest__startswith"),
    ("apikey", "owner__password__startswith"),
]


def address(model: str) -> str:
    return reverse(f"admin:holdfast_conversations_{model}_changelist")


@pytest.fixture
def hook() -> Webhook:
    hook = Webhook.objects.create(url="https://hooks.example/")
    now = timezone.now()
    Delivery.objects.create(
        webhook=hook, run_id=new_id(), owner_key="1", body=SECRET, next_at=now, created_at=now
    )
    return hook


@pytest.mark.parametrize(("model", "lookup"), GUESSES)
def test_a_guess_at_a_text_or_a_secret_is_refused(
    boss: Client, conversation: Conversation, hook: Webhook, model: str, lookup: str
) -> None:
    """Whoever guesses: a list that is empty or not would tell a text letter by letter."""
    reply(conversation, SECRET, say(conversation, SECRET), rating=1)
    for client in (staff_with(f"view_{model}"), boss):
        assert client.get(address(model), {lookup: SECRET}).status_code == 400
        assert client.get(address(model)).status_code == 200


def test_a_guess_is_refused_by_deletions_and_exports_of_a_list(
    boss: Client, conversation: Conversation
) -> None:
    guess = {"title__startswith": "A"}
    for name in ("conversation_delete_all", "conversation_export", "message_export"):
        args = ["csv"] if name.endswith("export") else []
        url = reverse(f"admin:holdfast_conversations_{name}", args=args)
        assert boss.get(url, guess).status_code == 400, name


def test_lists_are_narrowed_by_ids_and_by_what_they_offer(
    boss: Client, alice: Any, conversation: Conversation, hook: Webhook
) -> None:
    asked = say(conversation, "Q")
    reply(conversation, "A", asked, rating=1, comment="why")
    year = timezone.now().year
    for model, query, count in [
        ("conversation", {"owner__id__exact": alice.pk}, 1),
        ("conversation", {"owner__id__exact": alice.pk + 1}, 0),
        ("conversation", {"id__exact": conversation.pk, "pinned__exact": "0"}, 1),
        ("conversation", {"updated_at__year": year, "status": "completed"}, 1),
        ("conversation", {"updated_at__gte": f"{year + 1}-01-01 00:00:00+00:00"}, 0),
        ("message", {"conversation__id__exact": conversation.pk, "role__exact": "user"}, 1),
        ("message", {"created_at__year": year, "model": "demo", "provider": "demo"}, 1),
        ("ratedreply", {"rating": "1", "said": "1", "model": "demo"}, 1),
        ("delivery", {"webhook__id__exact": hook.pk, "state__exact": "waiting"}, 1),
        ("apikey", {"valid": "1", "created_at__year": year}, 0),
        ("announcement", {"level__exact": "info"}, 0),
    ]:
        response = boss.get(address(model), query)
        assert response.status_code == 200, (model, query)
        assert response.context["cl"].result_count == count, (model, query)
    users = reverse("admin:auth_user_changelist")
    response = boss.get(users, {"guest": "0", "is_staff__exact": "0", "is_active__exact": "1"})
    assert [row.pk for row in response.context["cl"].result_list] == [alice.pk]


def test_every_page_of_ours_is_guarded() -> None:
    ours = ("holdfast_conversations", "holdfast_streaming")
    for model, page in admin.site._registry.items():
        if model._meta.app_label in ours or model is get_user_model():
            assert isinstance(page, GuardedAdmin), model
