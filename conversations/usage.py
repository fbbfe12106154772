"""What people have used: replies and tokens of their conversations as they are stored, by model."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

from django.db import connection
from django.db.models import Count, Field, Max

from conversations import offering
from conversations.models import Conversation, Message

_MESSAGE, _CONVERSATION = Message._meta.db_table, Conversation._meta.db_table
_OWNER = cast("Field[Any, Any]", Conversation._meta.get_field("owner"))

# In plain SQL for CROSS JOIN: SQLite then begins with the people and not with all replies.
_SUMMED = f"""
    SELECT c.owner_id, m.model, COUNT(*), SUM(m.input_tokens), SUM(m.output_tokens)
    FROM {_CONVERSATION} c CROSS JOIN {_MESSAGE} m
    WHERE m.conversation_id = c.id AND m.role = 'assistant' AND c.owner_id IN ({{places}})
    GROUP BY c.owner_id, m.model
"""


@dataclass
class Used:
    """What one person used."""

    replies: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: Decimal = Decimal(0)
    last_active: datetime | None = None
    conversations: int = 0


def used_by(user_ids: Iterable[Any]) -> dict[Any, Used]:
    """Read the usage of some people, in two statements, the larger one by an index alone."""
    ids = list(user_ids)
    found: defaultdict[Any, Used] = defaultdict(Used)
    prices = offering.prices()
    if not ids:
        return found
    with connection.cursor() as cursor:
        places = ", ".join(["%s"] * len(ids))
        cursor.execute(_SUMMED.format(places=places), [_db(one) for one in ids])
        summed = cursor.fetchall()
    for owner_key, model, count, given, said in summed:
        one = found[_OWNER.to_python(owner_key)]
        one.replies += count
        one.input_tokens += given or 0
        one.output_tokens += said or 0
        if model in prices:
            one.cost += prices[model].of(given or 0, said or 0)
    rows = Conversation.objects.filter(owner_id__in=ids).order_by().values_list("owner_id")
    for owner_id, count, last in rows.annotate(Count("id"), Max("updated_at")):
        found[owner_id].conversations = count
        found[owner_id].last_active = last
    return found


def _db(user_id: Any) -> Any:
    return _OWNER.get_db_prep_value(user_id, connection)
