"""What the row of a reply tells of its runs."""

from typing import Any

from conversations.models import Message
from streaming.outcome import Outcome, Spent, Usage


def about(message: Message) -> dict[str, Any]:
    """Return what readers of the run are told at its start."""
    return {
        "conversation_id": str(message.conversation_id),
        "message_id": str(message.parent_id),
        "model": message.model,
    }


def spent_on(message: Message) -> Spent:
    """Read what the runs of a settled reply took."""
    return Spent(
        usage=_usage_of(message),
        first_token_ms=message.first_token_ms,
        duration_ms=message.duration_ms or 0,
    )


def outcome_of(message: Message) -> Outcome:
    """Read the outcome of a settled reply."""
    return Outcome(
        status=message.status,  # type: ignore[arg-type]
        reason=message.reason,
        retryable=message.retryable,
        usage=_usage_of(message),
        first_token_ms=message.first_token_ms,
        duration_ms=message.duration_ms,
    )


def _usage_of(message: Message) -> Usage | None:
    if message.input_tokens is None or message.output_tokens is None:
        return None
    return Usage(message.input_tokens, message.output_tokens)
