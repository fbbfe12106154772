"""Messages as rows of a table. Pure."""

from typing import Any

COLUMNS = (
    "conversation_id",
    "title",
    "message_id",
    "parent_id",
    "role",
    "model",
    "status",
    "reason",
    "created_at",
    "input_tokens",
    "output_tokens",
    "content",
)


_OF_MESSAGE = ("parent_id", "role", "model", "status", "reason", "created_at", "content")


def row(conversation: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    """Make the row of one message."""
    usage = message["usage"] or {}
    return {
        "conversation_id": conversation["id"],
        "title": conversation["title"],
        "message_id": message["id"],
        "input_tokens": usage.get("input_tokens"),
        "output_tokens": usage.get("output_tokens"),
        **{name: message[name] for name in _OF_MESSAGE},
    }
