"""Server-sent events out of bytes, in pieces of any size. Pure.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

import re

import msgspec

_END_OF_LINE = re.compile(rb"\r\n|\r|\n")
_BOM = b"\xef\xbb\xbf"


class EventTooLarge(ValueError):
    """One event, or one line of it, exceeds the limit."""


class ParsedEvent(msgspec.Struct, frozen=True, gc=False):
    """One event as it came: data is not decoded, so that bad UTF-8 is the reader's to judge."""

    name: bytes
    """The `event` field; empty where there is none."""
    data: bytes
    """Lines joined by a line feed. Empty for a comment, which is a sign of life only."""


COMMENT = ParsedEvent(b"", b"")


class SSEParser:
    """Takes bytes as they arrive, gives the events that they complete.

    Args:
        max_event_bytes: the largest event, counted with what of it is still incomplete.
    """

    def __init__(self, *, max_event_bytes: int) -> None:
        self._most = max_event_bytes
        self._at_boundary = True  # nothing of an event or a line is kept
        self._refusal: EventTooLarge | None = None
        self._pieces: list[bytes] = []  # of the line that is not complete
        self._data: list[bytes] = []
        self._name = b""
        self._event_bytes = 0
        self._first_line = True
        self._ended_with_cr = False
        self.fields = 0
        """Lines so far that are fields or comments; none at the end: this was no event stream."""

    def feed(self, data: bytes) -> list[ParsedEvent]:
        """Take bytes; return the events and comments that they complete, in order.

        Raises:
            EventTooLarge: the event in progress exceeds the limit; those before it were returned.
        """
        if self._refusal is not None:
            raise self._refusal
        if self._at_boundary and data.startswith(b"data: ") and data.endswith(b"\n\n"):
            # Events of one line each, whole: nearly always.
            if len(data) < self._most and b"\r" not in data:
                lines = data[6:-2].split(b"\n\ndata: ")
                if all(lines) and data.count(b"\n") == 2 * len(lines):
                    self.fields += len(lines)
                    self._first_line = False
                    return [ParsedEvent(b"", line) for line in lines]
        if self._ended_with_cr and data.startswith(b"\n"):
            data = data[1:]
            self._ended_with_cr = False
        if not data:
            return []
        self._ended_with_cr = data.endswith(b"\r")
        first, *others = _END_OF_LINE.split(data)
        events: list[ParsedEvent] = []
        try:
            self._pieces.append(first)
            self._count(first)
            for line in others:
                self._take_line(events)
                self._pieces.append(line)
                self._count(line)
        except EventTooLarge as error:
            if not events:
                raise
            self._refusal = error
        self._at_boundary = not (self._event_bytes or self._ended_with_cr)
        return events

    def finish(self) -> ParsedEvent | None:
        """Return the event that the stream ended in, if any; the specification drops it.

        Servers that close right behind the last line are common enough to look at it.
        """
        if self._refusal is not None:
            raise self._refusal
        events: list[ParsedEvent] = []
        self._take_line(events)
        self._take_line(events)
        return next((event for event in events if event.data), None)

    def _count(self, data: bytes) -> None:
        self._event_bytes += len(data)
        if self._event_bytes > self._most:
            raise EventTooLarge(f"an event of more than {self._most} bytes")

    def _take_line(self, events: list[ParsedEvent]) -> None:
        line = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces = []
        if self._first_line:
            self._first_line = False
            line = line.removeprefix(_BOM)
        if not line:
            self._dispatch(events)
            return
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match field:
            case b"":
                self._event_bytes -= len(line)  # or signs of life would add up to a large event
                events.append(COMMENT)
            case b"data":
                self._data.append(value)
            case b"event":
                self._name = value
            case b"id" | b"retry":
                pass
            case _:
                return
        self.fields += 1

    def _dispatch(self, events: list[ParsedEvent]) -> None:
        data = b"\n".join(self._data)
        if data:
            events.append(ParsedEvent(self._name, data))
        elif self._data:
            events.append(COMMENT)
        self._data = []
        self._name = b""
        self._event_bytes = 0
