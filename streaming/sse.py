"""Server-Sent Events as bytes.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import re
from dataclasses import dataclass
from typing import Any

import msgspec

from streaming.cursor import START, BadCursor, Cursor
from streaming.events import Delta, Ended, Event, payload

RETRY_MS = 2000
OPENING = b"retry: %d\n\n" % RETRY_MS
"""First frame: how long a browser's EventSource waits before it comes back."""

_ENDED_ID = re.compile(r"(?P<cursor>[0-9-]+)\.end", re.ASCII)
_DELTA = (
    b"id: %d-%d\nevent: delta\n"
    b'data: {"type":"delta","part":%d,"kind":%b,"at":"%d-%d","text":%b}\n\n'
)
_encoder = msgspec.json.Encoder()


_LINE_END = re.compile(r"\r\n|\r|\n")
_FORBIDDEN = re.compile(r"[\r\n\0]")
COMMENT = b":\n\n"
"""A sign of life that no client shows to anybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerEvent:
    """One event of any stream."""

    data: Any = ""
    """A text goes as it is, whatever its line ends are; anything else as JSON, on one line."""
    event: str = ""
    """Its name; without one a browser calls it `message`."""
    id: str | None = None
    """What the client says in `Last-Event-ID` when it comes back."""
    retry_ms: int | None = None
    """How long the client is to wait from now on before it comes back."""


def write(event: ServerEvent) -> bytes:
    """Write one event of any stream as a frame.

    Raises:
        ValueError: a name or an id would break out of its line.
    """
    frame = b""
    for name, value in (("id", event.id), ("event", event.event or None)):
        if value is not None:
            if _FORBIDDEN.search(value):
                raise ValueError(f"{name} has a line end or U+0000: {value!r}")
            frame += f"{name}: {value}\n".encode()
    if event.retry_ms is not None:
        frame += b"retry: %d\n" % event.retry_ms
    if not isinstance(event.data, str):
        return b"%bdata: %b\n\n" % (frame, _encoder.encode(event.data))
    lines = _LINE_END.split(event.data)
    return frame + b"".join(b"data: %b\n" % line.encode() for line in lines) + b"\n"


def encode(event: Event) -> bytes:
    """Write one event as a frame; only text and the end carry an id."""
    if isinstance(event, Delta):  # what `payload` says, without the way through a dict
        (part, offset), at = event.cursor, event.at
        text, kind = _encoder.encode(event.text), _encoder.encode(event.kind)
        return _DELTA % (part, offset, event.part, kind, *at, text)
    body = payload(event)
    name = body["type"].encode()
    data = _encoder.encode(body)
    if isinstance(event, Ended):
        return b"id: %d-%d.end\nevent: %b\ndata: %b\n\n" % (*event.cursor, name, data)
    return b"event: %b\ndata: %b\n\n" % (name, data)


def parse_last_id(text: str) -> tuple[Cursor, bool]:
    """Read a `Last-Event-ID` or an `after`.

    Returns:
        The cursor, and whether the reader has seen the end there.
    Raises:
        BadCursor: it is neither a cursor nor the id of an end.
    """
    if not text:
        return START, False
    match = _ENDED_ID.fullmatch(text)
    if match:
        return Cursor.parse(match["cursor"]), True
    return Cursor.parse(text), False


__all__ = [
    "COMMENT",
    "OPENING",
    "RETRY_MS",
    "BadCursor",
    "ServerEvent",
    "encode",
    "parse_last_id",
    "write",
]
