"""Statistics: each figure from its replies, at a cost that does not grow with their number."""

import csv
import io
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from conversations import offering, statistics
from conversations.admin.charts import HEIGHT, lines, stacked
from conversations.models import Conversation, OfferedModel
from tests.conversations.administration.rows import reply, say, staff_with

pytestmark = pytest.mark.django_db

PAGE = reverse("admin:holdfast_statistics")
CSV = reverse("admin:holdfast_statistics_csv")


@pytest.fixture(autouse=True)
def fresh() -> None:
    cache.clear()


@pytest.fixture
def replies(conversation: Conversation) -> None:
    asked = say(conversation, "Q")
    for number in range(1, 101):
        reply(
            conversation,
            "A",
            asked,
            input_tokens=1000,
            output_tokens=2000,
            first_token_ms=number * 10,
        )
    reply(conversation, "A", asked, status="interrupted", reason="worker_lost")
    reply(conversation, "A", asked, status="failed", reason="deadline", model="other")
    yesterday = timezone.now() - timedelta(days=1)
    reply(conversation, "A", asked, status="stopped", reason="user", created_at=yesterday)
    OfferedModel.objects.create(
        id="demo", provider="demo", input_price=1, output_price=Decimal("2.5")
    )


def test_each_day_has_its_figures(replies: None) -> None:
    before, today = statistics.days(7)[-2:]
    assert today.outcomes == {"completed": 100, "interrupted": 1, "failed": 1}
    assert today.interrupted == {"worker_lost": 1}
    assert (today.input_tokens, today.output_tokens) == (100_000, 200_000)
    assert (today.percentile(0.5), today.percentile(0.95)) == (500, 950)
    assert today.cost(offering.prices()) == Decimal("0.6")
    assert before.outcomes == {"stopped": 1}
    assert before.percentile(0.5) is None


def test_days_add_up(replies: None) -> None:
    whole = statistics.together(statistics.days(7))
    assert whole.runs == 103
    assert whole.percentile(1) == 1000


def test_the_page_plots_what_the_table_says(boss: Client, replies: None) -> None:
    page = boss.get(PAGE, {"days": 7}).content.decode()
    assert page.count('<figure class="chart">') == 5
    assert "interrupted 1</title>" in page
    assert 'style="' not in page
    rows = list(csv.DictReader(io.StringIO(boss.get(CSV, {"days": 7}).content.decode("utf-8-sig"))))
    assert len(rows) == 7
    assert rows[-1]["runs"] == "102"
    assert rows[-1]["first_token_p95_ms"] == "950"
    assert Decimal(rows[-1]["cost"]) == Decimal("0.6")


def test_a_range_that_is_not_offered_is_the_usual_one(boss: Client) -> None:
    for given in ("", "1000000", "x", "-1"):
        assert boss.get(PAGE, {"days": given}).context["range"] == 30


def test_statistics_need_their_permission() -> None:
    staff = staff_with("view_conversation")
    assert staff.get(PAGE).status_code == staff.get(CSV).status_code == 403


def test_a_past_day_is_read_once_and_by_the_index_alone(boss: Client) -> None:
    call_command("make_sample_data", "--messages", "600", verbosity=0)
    with CaptureQueriesContext(connection) as first:
        boss.get(PAGE, {"days": 90})
    with CaptureQueriesContext(connection) as second:
        boss.get(PAGE, {"days": 90})
    assert len(second) <= 8 < len(first)
    if connection.vendor == "sqlite":
        query = next(q["sql"] for q in first if "SUM(" in q["sql"])
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {query.replace('%', '%%')}")
            plan = " ".join(str(row) for row in cursor.fetchall())
        assert "USING COVERING INDEX holdfast_message_statistics" in plan


def test_charts_stay_within_their_frame() -> None:
    values: list[float | None] = [0, 3, None, 1_234_567]
    drawn = stacked("A", list("abcd"), [("x", values), ("y", values)])
    assert all(bar.y >= 0 and bar.y + bar.height <= HEIGHT for bar in drawn.bars)
    assert len(drawn.bars) == 4
    plot = lines("B", list("abcd"), [("x", values)])
    assert [path.count("L") for path in plot.lines[0].paths] == [1, 0]
    assert stacked("C", [], []).bars == []
