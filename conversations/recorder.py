"""Keeps replies: where the end of a run becomes a settled message."""

from datetime import datetime
from typing import Any, cast
from uuid import UUID

from django.db import connection
from django.db.models import Field
from django.utils import timezone

from conversations import resuming
from conversations.limits import spending
from conversations.models import Conversation, Message
from conversations.outcomes import about, outcome_of
from conversations.sync import announce
from conversations.webhooks import outbox
from streaming.outcome import Usage
from streaming.recorder import Recorded, Resumption, Settlement
from streaming.transcript import StoredPart, text_of

_MESSAGE = Message._meta.db_table
_CONVERSATION = Conversation._meta.db_table
_OWNER = cast("Field[Any, Any]", Conversation._meta.get_field("owner"))

# In plain SQL: a thousand readers that leave, or a worker that dies, end a thousand runs at once,
# and building these statements anew would cost ten times what they do.
_FIND = f"""
    SELECT c.id, c.owner_id, m.input_tokens, m.output_tokens, m.asked_tokens,
        COALESCE(m.counted_characters, LENGTH(m.content))
    FROM {_MESSAGE} m JOIN {_CONVERSATION} c ON c.id = m.conversation_id
    WHERE m.id = %s AND m.status = 'running'
"""
_TOUCH = f"UPDATE {_CONVERSATION} SET updated_at = %s WHERE id = %s"
# A taker has measured nothing and leaves what is there.
_SETTLE = f"""
    UPDATE {_MESSAGE} SET parts = %s, content = %s, status = %s, reason = %s, retryable = %s,
        claim = %s, settled_at = %s, input_tokens = COALESCE(%s, input_tokens),
        output_tokens = COALESCE(%s, output_tokens),
        first_token_ms = COALESCE(first_token_ms, %s), duration_ms = COALESCE(%s, duration_ms)
    WHERE id = %s AND status = 'running'
"""


class MessageRecorder:
    """The recorder of `STREAMING["RECORDER"]`."""

    def save(self, run_id: UUID, settlement: Settlement) -> bool:
        """Write text, outcome, usage and timings; raise the owner's revision."""
        with connection.cursor() as cursor:
            cursor.execute(_FIND, (_db("id", run_id),))
            found = cursor.fetchone()
            if found is None:
                return False
            conversation_id, owner_id = UUID(str(found[0])), _OWNER.to_python(found[1])
            now = timezone.now()
            # Person before conversation: the order in which a start locks.
            ids = {"conversation_id": conversation_id, "run_id": run_id}
            outcome = settlement.outcome
            ending = {"status": outcome.status, "reason": outcome.reason}
            announce(owner_id, ("run.ended", {**ids, **ending}))
            cursor.execute(_TOUCH, (_db("settled_at", now), _db("id", conversation_id)))
            cursor.execute(_SETTLE, [*_values(settlement, now), _db("id", run_id)])
            if not cursor.rowcount:
                return False
        taken = spending.taken(
            outcome,
            settlement.parts,
            before=Usage(found[2] or 0, found[3] or 0),
            asked_tokens=found[4] or 0,
            known_characters=found[5],
        )
        spending.add(owner_id, taken)
        outbox.put(run_id, owner_id, settlement, now)
        return True

    def load(self, run_id: UUID) -> Recorded | None:
        """Read a settled reply."""
        message = (
            Message.objects.filter(id=run_id, role=Message.Role.ASSISTANT)
            .exclude(status=Message.Status.RUNNING)
            .first()
        )
        if message is None:
            return None
        return Recorded(about(message), outcome_of(message), message.stored_parts(), message.claim)

    def resume(self, run_id: UUID, parts: list[StoredPart]) -> Resumption | None:
        """Let another worker go on with a reply whose own was lost."""
        return resuming.resume(run_id, parts)


def _values(settlement: Settlement, now: datetime) -> list[Any]:
    """List the values of `_SETTLE` in its order, as the database takes them."""
    outcome, usage = settlement.outcome, settlement.outcome.usage
    return [
        _db("parts", [{"kind": part.kind, "text": part.text} for part in settlement.parts]),
        text_of(settlement.parts),
        outcome.status,
        outcome.reason,
        outcome.retryable,
        _db("claim", settlement.claim),
        _db("settled_at", now),
        None if usage is None else usage.input_tokens,
        None if usage is None else usage.output_tokens,
        outcome.first_token_ms,
        outcome.duration_ms,
    ]


def _db(field: str, value: Any) -> Any:
    column: Field[Any, Any] = Message._meta.get_field(field)  # type: ignore[assignment]
    return column.get_db_prep_save(value, connection)
