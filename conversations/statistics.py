"""What the replies of each day came to. Days are UTC; a reply belongs to the day of its start.

Each day is two look-ups along one index that has all that is asked, so a year of a million
messages takes seconds the first time. A day that is over is kept in the cache for a while:
only ratings and deletions change it.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.core.cache import cache
from django.db.models import Count, QuerySet, Sum
from django.utils import timezone

from conversations.models import Message
from conversations.offering import Price

RANGES = (7, 30, 90, 365)
_PAST_SECONDS = 3600
_TODAY_SECONDS = 15


@dataclass
class Day:
    """The replies of one day, or of several."""

    day: date
    outcomes: Counter[str] = field(default_factory=Counter)
    interrupted: Counter[str] = field(default_factory=Counter)
    """By reason."""
    failed: Counter[str] = field(default_factory=Counter)
    tokens: dict[str, tuple[int, int]] = field(default_factory=dict)
    """In and out, by model."""
    first_token_ms: Counter[int] = field(default_factory=Counter)
    """How often each time was measured."""

    @property
    def runs(self) -> int:
        """How many replies were begun."""
        return self.outcomes.total()

    @property
    def input_tokens(self) -> int:
        """Over all models."""
        return sum(given for given, _ in self.tokens.values())

    @property
    def output_tokens(self) -> int:
        """Over all models."""
        return sum(said for _, said in self.tokens.values())

    def cost(self, prices: dict[str, Price]) -> Decimal:
        """Return what it cost by the price table as it is now."""
        costs = (
            prices[model].of(*counted) for model, counted in self.tokens.items() if model in prices
        )
        return sum(costs, Decimal(0))

    def percentile(self, share: float) -> int | None:
        """Return the time to the first token that this share of replies did not exceed, in ms."""
        wanted = share * self.first_token_ms.total()
        reached = 0
        for value, count in sorted(self.first_token_ms.items()):
            reached += count
            if reached >= wanted:
                return value
        return None


def days(count: int) -> list[Day]:
    """Return the last days, today last."""
    today = timezone.now().astimezone(UTC).date()
    wanted = [today - timedelta(days=back) for back in range(count - 1, -1, -1)]
    keys = {_key(one): one for one in wanted}
    known: dict[str, Day] = cache.get_many(keys)
    found = []
    for key, one in keys.items():
        day = known.get(key)
        if day is None:
            day = read(one)
            cache.set(key, day, _TODAY_SECONDS if one == today else _PAST_SECONDS)
        found.append(day)
    return found


def together(several: Iterable[Day]) -> Day:
    """Add days up."""
    several = list(several)
    whole = Day(several[0].day)
    for one in several:
        whole.outcomes += one.outcomes
        whole.interrupted += one.interrupted
        whole.failed += one.failed
        whole.first_token_ms += one.first_token_ms
        for model, (given, said) in one.tokens.items():
            before = whole.tokens.get(model, (0, 0))
            whole.tokens[model] = (before[0] + given, before[1] + said)
    return whole


def read(day: date) -> Day:
    """Read one day."""
    begin = datetime.combine(day, time(), UTC)
    replies = Message.objects.filter(
        role=Message.Role.ASSISTANT,
        created_at__gte=begin,
        created_at__lt=begin + timedelta(days=1),
    ).order_by()
    found = Day(day)
    for row in _grouped(replies):
        found.outcomes[row["status"]] += row["count"]
        if row["status"] == Message.Status.INTERRUPTED:
            found.interrupted[row["reason"]] += row["count"]
        elif row["status"] == Message.Status.FAILED:
            found.failed[row["reason"]] += row["count"]
        given, said = found.tokens.get(row["model"], (0, 0))
        found.tokens[row["model"]] = (given + (row["given"] or 0), said + (row["said"] or 0))
    timed = replies.filter(first_token_ms__isnull=False).values_list("first_token_ms")
    found.first_token_ms.update(dict(timed.annotate(count=Count("*"))))
    return found


def _grouped(replies: "QuerySet[Message]") -> Iterable[Any]:
    grouped = replies.values("status", "reason", "model")
    return grouped.annotate(count=Count("*"), given=Sum("input_tokens"), said=Sum("output_tokens"))


def _key(day: date) -> str:
    return f"holdfast.statistics.{day.isoformat()}"
