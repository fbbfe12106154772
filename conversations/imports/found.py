"""What a file holds, as values: conversations and their messages, parents first."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from conversations.titling import title_of
from streaming.transcript import StoredPart, clean, text_of

MESSAGE_CHARACTERS = 1_000_000
CONVERSATION_MESSAGES = 20_000
_TITLE_CHARACTERS = 200
_ID_CHARACTERS = 200
_EARLIEST = datetime(1970, 1, 2, tzinfo=UTC)
_TICK = timedelta(microseconds=1)


class NotReadable(Exception):
    """A conversation cannot be taken; `reason` is a stable word of the protocol."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(slots=True, kw_only=True)
class FoundMessage:
    """A message, as its file has it."""

    id: str
    """Unique in its conversation; not ours."""
    parent: str | None
    role: str
    parts: list[StoredPart]
    created_at: datetime | None = None
    status: str = "completed"
    reason: str = ""
    retryable: bool = False
    model: str = ""
    provider: str = ""
    figures: dict[str, int | None] = field(default_factory=dict)
    """Tokens and milliseconds, by the names of the model's fields."""
    rating: int = 0
    comment: str = ""

    @property
    def time(self) -> datetime:
        """When it was said; known once its conversation is settled."""
        assert self.created_at is not None
        return self.created_at

    @property
    def characters(self) -> int:
        """How long it is."""
        return sum(len(part.text) for part in self.parts)


@dataclass(slots=True, kw_only=True)
class FoundConversation:
    """A conversation, as its file has it."""

    source: str
    """Whose format it is."""
    id: str
    title: str = ""
    model: str = ""
    system_prompt: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    pinned: bool = False
    archived: bool = False
    head: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    messages: list[FoundMessage] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    """What was not taken, and why."""

    def settle(self) -> None:
        """Bound the messages, and let each be later than the one that it follows."""
        kept: dict[str, FoundMessage] = {}
        nearest: dict[str, FoundMessage | None] = {}  # for each message: itself, or one before it
        start = self.created_at or self.updated_at or datetime.now(UTC)
        for message in self.messages:
            parent = nearest.get(message.parent) if message.parent is not None else None
            nearest[message.id] = parent
            if message.characters > MESSAGE_CHARACTERS:
                self.left_out["too_long"] += 1
                continue
            if len(kept) == CONVERSATION_MESSAGES:
                self.left_out["too_many"] += 1
                continue
            message.parent = parent.id if parent is not None else None
            earliest = start if parent is None else parent.time + _TICK
            if message.created_at is None or (parent and message.created_at < earliest):
                message.created_at = earliest
            kept[message.id] = nearest[message.id] = message
        self.messages = list(kept.values())
        if not self.messages:
            raise NotReadable("empty")
        if not self.title:
            first = next((one for one in self.messages if one.role == "user"), self.messages[0])
            self.title = title_of(text_of(first.parts))
        if self.head not in kept:
            self.head = self.messages[-1].id
        self.created_at = self.created_at or self.messages[0].time
        self.updated_at = self.updated_at or max(message.time for message in self.messages)


def parents_first(parents: Mapping[str, str | None]) -> Iterable[str]:
    """Order a tree; what hangs in a circle is left out, a parent that is not there is none."""
    children: dict[str | None, list[str]] = {}
    for one, parent in parents.items():
        children.setdefault(parent if parent in parents else None, []).append(one)
    waiting = children.get(None, [])[::-1]
    while waiting:
        one = waiting.pop()
        yield one
        waiting += children.get(one, [])[::-1]


def text(value: Any) -> str:
    """Return a text that can be stored; nothing for what is no text."""
    return clean(value) if isinstance(value, str) else ""


def title(value: Any) -> str:
    """Return a text as a title."""
    return " ".join(text(value).split())[:_TITLE_CHARACTERS]


def identity(value: Any) -> str:
    """Return an id of a file, as a text; nothing for what cannot be one."""
    return value if isinstance(value, str) and len(value) <= _ID_CHARACTERS else ""


def moment(value: Any) -> datetime | None:
    """Return a time that was written as seconds since 1970, or as ISO 8601 with an offset.

    One to come becomes now: it would lead every list for as long as it is to come.
    """
    found = None
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(value)
            found = found.astimezone(UTC) if found.tzinfo is not None else None
        elif isinstance(value, int | float) and math.isfinite(value):
            found = datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return min(found, datetime.now(UTC)) if found is not None and found > _EARLIEST else None
