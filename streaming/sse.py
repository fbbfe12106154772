"""Server-Sent Events as bytes.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import re

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


__all__ = ["OPENING", "RETRY_MS", "BadCursor", "encode", "parse_last_id"]
