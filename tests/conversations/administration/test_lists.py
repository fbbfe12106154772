"""Lists that grow are counted up to a limit, and what a row tells costs no join of all rows."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from conversations.models import Conversation, Delivery, Webhook, new_id
from tests.conversations.administration.rows import reply, say

pytestmark = pytest.mark.django_db


def address(model: str) -> str:
    return reverse(f"admin:holdfast_conversations_{model}_changelist")


def statements(client: Client, model: str) -> list[str]:
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address(model)).status_code == 200
    return [query["sql"] for query in queries]


def report(hook: Webhook, state: str) -> None:
    now = timezone.now()
    given: dict[str, Any] = {"run_id": new_id(), "owner_key": "1", "body": "{}", "state": state}
    Delivery.objects.create(webhook=hook, next_at=now, created_at=now, **given)


@pytest.mark.parametrize("model", ["conversation", "message", "ratedreply", "delivery", "apikey"])
def test_a_list_that_grows_is_counted_up_to_a_limit(boss: Client, model: str) -> None:
    counts = [sql for sql in statements(boss, model) if "COUNT(" in sql]
    assert counts and all("LIMIT 10000" in sql for sql in counts)


def test_a_webhook_tells_how_many_reports_wait_and_were_given_up(boss: Client) -> None:
    busy, idle = (Webhook.objects.create(url=f"https://{name}.example/") for name in "ab")
    for state in ("waiting", "waiting", "dead", "delivered"):
        report(busy, state)
    found = boss.get(address("webhook")).context["cl"].result_list
    told = {row.pk: (row.counts["waiting"], row.counts["dead"]) for row in found}
    assert told == {busy.pk: (2, 1), idle.pk: (0, 0)}
    assert not [sql for sql in statements(boss, "webhook") if "JOIN" in sql and "delivery" in sql]


def test_messages_and_feedback_are_filtered_by_model(
    boss: Client, conversation: Conversation
) -> None:
    asked = say(conversation, "Q")
    for name in ("owl", "hawk"):
        reply(conversation, "A", asked, rating=1, model=name, provider=f"{name}s")
    for model, query in (
        ("ratedreply", {"model": "owl"}),
        ("message", {"model": "owl"}),
        ("message", {"provider": "owls"}),
        ("message", {"provider": "owls", "model": "owl"}),
    ):
        response = boss.get(address(model), query)
        assert [row.model for row in response.context["cl"].result_list] == ["owl"], query
        assert "model=hawk" in response.content.decode(), "the other one is offered"
