"""WebSocket messages as text: what a client may say, and how events are written."""

from typing import Any
from uuid import UUID

import msgspec

from streaming.cursor import Cursor
from streaming.events import Delta, Ended, Event, Ping, Started, payload

Ref = str | int | float | None
"""What a client may name a message by, to know the answer."""

_encoder = msgspec.json.Encoder()


class BadFrame(ValueError):
    """The client's message is not one of the protocol's; the socket stays open.

    Args:
        code: `bad_json`, or `invalid_field` where it is JSON.
    """

    def __init__(self, message: str, *, code: str = "bad_json") -> None:
        super().__init__(message)
        self.code = code


class Follow(msgspec.Struct, tag="follow", tag_field="type"):
    """Subscribe to a run."""

    run_id: UUID
    after: str = "0-0"
    ref: Ref = None


class Unfollow(msgspec.Struct, tag="unfollow", tag_field="type"):
    """End a subscription."""

    run_id: UUID
    ref: Ref = None


class Stop(msgspec.Struct, tag="stop", tag_field="type"):
    """End a run."""

    run_id: UUID
    ref: Ref = None


class Hello(msgspec.Struct, tag="ping", tag_field="type"):
    """Ask for a `pong`."""

    ref: Ref = None


Command = Follow | Unfollow | Stop | Hello


def decode_object(text: str) -> dict[str, Any]:
    """Read a client's message as a JSON object with a `type`.

    Raises:
        BadFrame: it is not.
    """
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BadFrame("The message is not JSON.") from error
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        raise BadFrame("The message is not an object with a type.", code="invalid_field")
    return value


def decode_command(value: dict[str, Any]) -> Command:
    """Read a client's command from its object.

    Raises:
        BadFrame: an unknown type, or a field that does not fit; says which.
    """
    try:
        found: Command = msgspec.convert(value, Command)
    except msgspec.ValidationError as error:
        raise BadFrame(str(error), code="invalid_field") from error
    return found


def encode_event(run_id: UUID, event: Event, cursor: Cursor) -> str:
    """Write an event with its run and the cursor that the reader has after it."""
    body = payload(event)
    body["run_id"] = run_id
    match event:
        case Delta() | Ended() | Started():
            body["cursor"] = str(event.cursor)
        case Ping():
            body["cursor"] = str(cursor)
    return _encoder.encode(body).decode()


def encode(body: dict[str, Any]) -> str:
    """Write any other message."""
    return _encoder.encode(body).decode()
