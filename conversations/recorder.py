"""Keeps replies: where the end of a run becomes a settled message."""

from typing import Any
from uuid import UUID

from django.db.models.functions import Coalesce
from django.utils import timezone

from conversations.models import Conversation, Message
from conversations.sync import announce
from streaming.outcome import Outcome, Usage
from streaming.recorder import Recorded, Settlement
from streaming.transcript import text_of


class MessageRecorder:
    """The recorder of `STREAMING["RECORDER"]`."""

    def save(self, run_id: UUID, settlement: Settlement) -> bool:
        """Write text, outcome, usage and timings; raise the owner's revision."""
        reply = Message.objects.filter(id=run_id, status=Message.Status.RUNNING)
        found = reply.values_list("conversation_id", "conversation__owner_id").first()
        if found is None:
            return False
        conversation_id, owner_id = found
        outcome = settlement.outcome
        now = timezone.now()
        # Person before conversation: the order in which a start locks.
        ids = {"conversation_id": conversation_id, "run_id": run_id}
        ending = {"status": outcome.status, "reason": outcome.reason}
        announce(owner_id, ("run.ended", {**ids, **ending}))
        Conversation.objects.filter(id=conversation_id).update(updated_at=now)
        return bool(
            reply.update(
                parts=[{"kind": part.kind, "text": part.text} for part in settlement.parts],
                content=text_of(settlement.parts),
                status=outcome.status,
                reason=outcome.reason,
                retryable=outcome.retryable,
                claim=settlement.claim,
                settled_at=now,
                **_measures(outcome),
            )
        )

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


def about(message: Message) -> dict[str, Any]:
    """Return what readers of the run are told at its start."""
    return {
        "conversation_id": str(message.conversation_id),
        "message_id": str(message.parent_id),
        "model": message.model,
    }


def outcome_of(message: Message) -> Outcome:
    """Read the outcome of a settled reply."""
    usage = None
    if message.input_tokens is not None and message.output_tokens is not None:
        usage = Usage(message.input_tokens, message.output_tokens)
    return Outcome(
        status=message.status,  # type: ignore[arg-type]
        reason=message.reason,
        retryable=message.retryable,
        usage=usage,
        first_token_ms=message.first_token_ms,
        duration_ms=message.duration_ms,
    )


def _measures(outcome: Outcome) -> dict[str, Any]:
    """Name what was measured; a taker knows none of it and leaves what is there."""
    found: dict[str, Any] = {}
    if outcome.usage is not None:
        found["input_tokens"] = outcome.usage.input_tokens
        found["output_tokens"] = outcome.usage.output_tokens
    if outcome.first_token_ms is not None:
        found["first_token_ms"] = Coalesce("first_token_ms", outcome.first_token_ms)
    if outcome.duration_ms is not None:
        found["duration_ms"] = outcome.duration_ms
    return found
