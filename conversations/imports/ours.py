"""Our own format, as docs/protocol.md describes it. Pure."""

from typing import Any, TypeGuard

from conversations.imports.found import (
    FoundConversation,
    FoundMessage,
    NotReadable,
    identity,
    moment,
    parents_first,
    text,
    title,
)
from streaming.outcome import (
    COMPLETED_REASONS,
    FAILED_REASONS,
    INTERRUPTED_REASONS,
    STOPPED_REASONS,
)
from streaming.transcript import StoredPart

FORMAT = "holdfast.conversation"
VERSION = 1

_PROMPT_CHARACTERS = 50_000
_COMMENT_CHARACTERS = 5_000
_MOST = 2**31 - 1
_KINDS = ("text", "reasoning")
_REASONS = {
    "completed": COMPLETED_REASONS,
    "stopped": STOPPED_REASONS,
    "interrupted": INTERRUPTED_REASONS,
    "failed": FAILED_REASONS,
}


def read(item: dict[str, Any]) -> FoundConversation:
    """Read a conversation.

    Raises:
        NotReadable
    """
    about, messages = item.get("conversation"), item.get("messages")
    if item.get("version") != VERSION:
        raise NotReadable("unknown_version")
    if not isinstance(about, dict) or not isinstance(messages, list):
        raise NotReadable("broken")
    if not identity(about.get("id")):
        raise NotReadable("broken")
    found = FoundConversation(
        source="holdfast",
        id=identity(about.get("id")),
        title=title(about.get("title")),
        model=title(about.get("model")),
        system_prompt=text(about.get("system_prompt"))[:_PROMPT_CHARACTERS],
        settings=_settings(about.get("settings")),
        pinned=about.get("pinned") is True,
        archived=about.get("archived") is True,
        head=identity(about.get("head")) or None,
        created_at=moment(about.get("created_at")),
        updated_at=moment(about.get("updated_at")),
    )
    _read_messages(found, messages)
    found.settle()
    return found


def _read_messages(found: FoundConversation, messages: list[Any]) -> None:
    by_id: dict[str, FoundMessage] = {}
    for message in messages:
        read = _message(message, found) if isinstance(message, dict) else None
        if read is None or read.id in by_id:
            found.left_out["broken"] += 1
        else:
            by_id[read.id] = read
    order = parents_first({one: message.parent for one, message in by_id.items()})
    found.messages = [by_id[one] for one in order]
    if len(found.messages) < len(by_id):
        found.left_out["unreachable"] += len(by_id) - len(found.messages)


def _message(message: dict[str, Any], found: FoundConversation) -> FoundMessage | None:
    role, parts = message.get("role"), message.get("parts")
    if not identity(message.get("id")) or role not in ("system", "user", "assistant"):
        return None
    if not isinstance(parts, list):
        return None
    status, reason = _ending(message) if role == "assistant" else ("completed", "")
    usage = message.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    rating = message.get("rating")
    return FoundMessage(
        id=message["id"],
        parent=identity(message.get("parent_id")) or None,
        role=role,
        parts=_parts(parts, found),
        created_at=moment(message.get("created_at")),
        status=status,
        reason=reason,
        retryable=message.get("retryable") is True,
        model=title(message.get("model")),
        provider=title(message.get("provider"))[:60],
        figures={
            "input_tokens": _count(usage.get("input_tokens")),
            "output_tokens": _count(usage.get("output_tokens")),
            "first_token_ms": _count(message.get("first_token_ms")),
            "duration_ms": _count(message.get("duration_ms")),
        },
        rating=int(rating)
        if role == "assistant" and _is_number(rating) and rating in (-1, 1)
        else 0,
        comment=text(message.get("comment"))[:_COMMENT_CHARACTERS] if role == "assistant" else "",
    )


def _parts(parts: list[Any], found: FoundConversation) -> list[StoredPart]:
    """Take text and reasoning; of a file its name stays, where nothing else is said."""
    kept, files = [], []
    for part in parts:
        kind = part.get("kind") if isinstance(part, dict) else None
        if kind in _KINDS and isinstance(part.get("text"), str):
            if said := text(part["text"]):
                kept.append(StoredPart(str(kind), said))
        elif kind == "attachment":
            about = part.get("attachment")
            files.append(title(about.get("name")) if isinstance(about, dict) else "")
            found.left_out["file"] += 1
        else:
            found.left_out["broken"] += 1
    if not kept and files:
        kept.append(StoredPart("text", "\n".join(f"[{name or 'file'}]" for name in files)))
    return kept


def _ending(message: dict[str, Any]) -> tuple[str, str]:
    status, reason = identity(message.get("status")), identity(message.get("reason"))
    if status not in _REASONS:  # still running when it was exported, or nobody knows
        return "interrupted", "worker_lost"
    return status, reason if reason in _REASONS[status] else ""


def _settings(settings: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if isinstance(settings, dict):
        temperature, most = settings.get("temperature"), settings.get("max_output_tokens")
        if _is_number(temperature) and 0 <= temperature <= 2:
            found["temperature"] = temperature
        if _is_number(most) and isinstance(most, int) and 1 <= most <= 1_000_000:
            found["max_output_tokens"] = most
    return found


def _count(value: Any) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= _MOST else None


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
