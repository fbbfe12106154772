"""What people used, and what they think of it."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from conversations.models import Conversation, OfferedModel
from conversations.usage import used_by
from tests.conversations.administration.rows import SECRET, person, reply, say, staff_with

pytestmark = pytest.mark.django_db

USERS = reverse("admin:auth_user_changelist")
FEEDBACK = reverse("admin:holdfast_conversations_ratedreply_changelist")


def test_usage_is_summed_by_person_and_priced_by_model(conversation: Conversation) -> None:
    OfferedModel.objects.create(id="demo", provider="demo", input_price=2, output_price=4)
    asked = say(conversation, "Q")
    for model in ("demo", "demo", "unpriced"):
        reply(conversation, "A", asked, model=model, input_tokens=500_000, output_tokens=250_000)
    bob = person("bob")
    with CaptureQueriesContext(connection) as queries:
        found = used_by([conversation.owner_id, bob.pk])
    used = found[conversation.owner_id]
    assert (used.replies, used.input_tokens, used.output_tokens) == (3, 1_500_000, 750_000)
    assert used.cost == Decimal(4)
    assert used.last_active == Conversation.objects.get().updated_at
    assert found[bob.pk].replies == 0
    if connection.vendor == "sqlite":
        query = next(q["sql"] for q in queries if "SUM(" in q["sql"])
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {query}")
            plan = " ".join(str(row) for row in cursor.fetchall())
        assert "USING COVERING INDEX holdfast_message_usage" in plan


def test_the_list_of_users_shows_usage(boss: Client, conversation: Conversation) -> None:
    asked = say(conversation, "Q")
    reply(conversation, "A", asked, input_tokens=1200, output_tokens=3400)
    page = boss.get(USERS).content.decode()
    assert "1,200 / 3,400" in page


def test_rated_replies_are_listed_with_their_comments(conversation: Conversation) -> None:
    asked = say(conversation, SECRET)
    reply(conversation, SECRET, asked, rating=1)
    bad = reply(conversation, SECRET, asked, rating=-1, comment="Too long")
    reply(conversation, SECRET, asked)
    staff = staff_with("view_ratedreply")

    def rows(**query: str) -> list[int]:
        found = staff.get(FEEDBACK, query).context["cl"].result_list
        return sorted(row.rating for row in found)

    assert rows() == [-1, 1]
    assert rows(rating="-1") == rows(said="1") == [-1]
    page = staff.get(FEEDBACK).content.decode()
    assert "Too long" in page
    assert SECRET not in page
    link = f"{conversation.pk}/change/?message={bad.pk}#message-{bad.pk}"
    assert link in page
    assert staff_with("view_run").get(FEEDBACK).status_code == 403


def test_the_link_leads_to_the_page_with_the_message(
    boss: Client, conversation: Conversation
) -> None:
    last = None
    for number in range(60):
        last = say(conversation, f"number {number}.", last)
    assert last is not None
    url = reverse("admin:holdfast_conversations_conversation_change", args=[conversation.pk])
    page = boss.get(url, {"message": str(last.pk)}).content.decode()
    assert "number 59." in page
    assert "number 1." not in page
