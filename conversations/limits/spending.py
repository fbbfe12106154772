"""What each person's replies took of tokens on each day: a ledger that outlives the messages.

It is written in the transaction that settles a reply, so it holds for all processes, and what a
person deletes stays spent. Where an upstream counts no tokens, or was cut off before it did, they
are estimated.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.db import connection
from django.db.models import F
from django.utils import timezone

from conversations.models import Spending
from conversations.tokens import estimate_tokens
from streaming.outcome import Outcome, Usage
from streaming.transcript import StoredPart

_TABLE = Spending._meta.db_table
_ADD = f"""
    INSERT INTO {_TABLE} (user_id, day, input_tokens, output_tokens, replies)
    VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (user_id, day) DO UPDATE SET
        input_tokens = {_TABLE}.input_tokens + excluded.input_tokens,
        output_tokens = {_TABLE}.output_tokens + excluded.output_tokens,
        replies = {_TABLE}.replies + excluded.replies
"""


def spent_today(user_id: Any) -> int:
    """Return the tokens that a person's settled replies took since midnight (UTC)."""
    spent = F("input_tokens") + F("output_tokens")
    rows = Spending.objects.filter(user_id=user_id, day=_today())
    return rows.values_list(spent, flat=True).first() or 0


def seconds_to_midnight() -> int:
    """Return how long the day still is."""
    now = timezone.now()
    tomorrow = datetime.combine(_today() + timedelta(days=1), time(), UTC)
    return max(1, round((tomorrow - now).total_seconds()))


def add(user_id: Any, usage: Usage) -> None:
    """Enter what a reply took; inside the transaction that settles it."""
    _enter(user_id, _today(), usage, 1)


def add_lost(user_id: Any, usage: Usage) -> None:
    """Enter what a lost worker took for a reply that goes on: it will count as a reply later."""
    _enter(user_id, _today(), usage, 0)


def adopt(guest_id: Any, user_id: Any) -> None:
    """Enter what a guest spent as the user's that the guest turned out to be."""
    for row in Spending.objects.filter(user_id=guest_id):
        _enter(user_id, row.day, Usage(row.input_tokens, row.output_tokens), row.replies)


def _enter(user_id: Any, day: Any, usage: Usage, replies: int) -> None:
    who, when = _db("user", user_id), _db("day", day)
    with connection.cursor() as cursor:
        cursor.execute(_ADD, (who, when, usage.input_tokens, usage.output_tokens, replies))


def taken(
    outcome: Outcome,
    parts: Sequence[StoredPart],
    *,
    before: Usage,
    asked_tokens: int,
    known_characters: int,
) -> Usage:
    """Say what the last run of a reply took.

    Args:
        before: what the reply's earlier runs took, which the outcome has in it.
        asked_tokens: how much the prompt was estimated to be.
        known_characters: how much of the text the earlier runs wrote.
    """
    now = outcome.usage or before
    counted = Usage(
        max(now.input_tokens - before.input_tokens, 0),
        max(now.output_tokens - before.output_tokens, 0),
    )
    if counted.input_tokens or counted.output_tokens:
        return counted
    written = "".join(part.text for part in parts)[known_characters:]
    if outcome.status == "failed" and not written:
        return Usage(0, 0)  # an upstream that said nothing asks for nothing
    return Usage(asked_tokens, estimate_tokens(written))


def _db(field: str, value: Any) -> Any:
    column: Any = Spending._meta.get_field(field)
    return column.get_db_prep_save(value, connection)


def _today() -> Any:
    return timezone.now().astimezone(UTC).date()
