"""The events of a subscription, as values; the same for SSE and WebSocket."""

from typing import Any, Literal
from uuid import UUID

import msgspec

from streaming.cursor import Cursor
from streaming.outcome import Outcome, Usage
from streaming.transcript import StoredPart, digest_of, end_of, text_of

State = Literal["waiting", "streaming", "recovering"]


class Started(msgspec.Struct, frozen=True):
    """First event of a subscription."""

    run_id: UUID
    about: dict[str, Any]
    """What the starter wants readers to know, e.g. the conversation; goes out flat."""
    cursor: Cursor
    """Where this subscription starts."""


class Delta(msgspec.Struct, frozen=True):
    """Text behind `at`."""

    part: int
    kind: str
    at: Cursor
    """The cursor of the event before it on this subscription."""
    text: str
    cursor: Cursor
    """The cursor after it."""


class Ping(msgspec.Struct, frozen=True):
    """A sign of life."""

    state: State
    idle_seconds: float
    """Seconds since the source last progressed."""


class Ended(msgspec.Struct, frozen=True):
    """Last event: sent only after the outcome was committed."""

    status: str
    reason: str
    retryable: bool
    usage: Usage | None
    text_length: int
    """Code points of all `text` parts."""
    text_sha256: str
    cursor: Cursor

    @classmethod
    def of(cls, outcome: Outcome, parts: list[StoredPart]) -> "Ended":
        """Describe the end of a run with these stored parts."""
        text = text_of(parts)
        return cls(
            status=outcome.status,
            reason=outcome.reason,
            retryable=outcome.retryable,
            usage=outcome.usage,
            text_length=len(text),
            text_sha256=digest_of(text),
            cursor=end_of(parts),
        )


Event = Started | Delta | Ping | Ended


def payload(event: Event) -> dict[str, Any]:
    """Turn an event into the JSON object that both transports carry."""
    match event:
        case Delta():
            return {
                "type": "delta",
                "part": event.part,
                "kind": event.kind,
                "at": str(event.at),
                "text": event.text,
            }
        case Started():
            return {
                "type": "started",
                "run_id": event.run_id,
                **event.about,
                "cursor": str(event.cursor),
            }
        case Ping():
            return {
                "type": "ping",
                "state": event.state,
                "idle_seconds": round(event.idle_seconds, 1),
            }
        case Ended():
            return {
                "type": "ended",
                "status": event.status,
                "reason": event.reason,
                "retryable": event.retryable,
                "usage": event.usage,
                "text_length": event.text_length,
                "text_sha256": event.text_sha256,
                "cursor": str(event.cursor),
            }
