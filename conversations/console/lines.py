"""From what the handler kept to what staff read: shaped once for all who watch."""

import json
import logging
import re
import secrets
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from conversations.console.tail import Kept

EPOCH = secrets.token_hex(4)
"""Names this process among those whose numbers a client may bring."""

_CONTROLS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
)
_TOLD_APART = ("timestamp", "level", "logger", "event", "exception")
_encode = msgspec.json.encode


class Line(NamedTuple):
    """One line, ready to be sent."""

    number: int
    level: int
    text: str
    """What the filter searches, in lower case."""
    json: bytes


def shaped(kept: Kept, formatter: logging.Formatter | None) -> Line:
    """Make the line of a record.

    Args:
        formatter: writes a record as a JSON object, without what nobody may read; without one,
            message and facts are shown as they are.
    """
    found = _written(kept, formatter)
    message = str(found.get("event", ""))
    if found.get("exception"):
        message = f"{message}\n{found['exception']}"
    message = escaped(message)
    fields = {name: _shown(found[name]) for name in found if name not in _TOLD_APART}
    body = {
        "n": kept.number,
        "at": kept.at,
        "level": logging.getLevelName(kept.level),
        "logger": kept.logger,
        "thread": kept.thread,
        "message": message,
        "fields": fields,
    }
    words = [message, kept.logger, *(f"{name}={value}" for name, value in fields.items())]
    return Line(kept.number, kept.level, " ".join(words).lower(), _encode(body))


def _written(kept: Kept, formatter: logging.Formatter | None) -> dict[str, Any]:
    try:
        if formatter is not None:
            return dict(json.loads(kept.written or formatter.format(_record(kept))))
        message = kept.message % kept.args if kept.args else kept.message
    except Exception:  # a line that does not fit its arguments is still worth reading
        message = f"{kept.message} {kept.args}"
    return {"event": message, **kept.facts}


def _record(kept: Kept) -> logging.LogRecord:
    return logging.makeLogRecord(
        {
            "name": kept.logger,
            "levelno": kept.level,
            "levelname": logging.getLevelName(kept.level),
            "msg": kept.message,
            "args": kept.args,
            "created": kept.at,
            "threadName": kept.thread,
            "facts": kept.facts,
        }
    )


def escaped(text: str) -> str:
    """Show what would steer a terminal, or turn the direction of the text, as what it is."""
    text = text.encode("utf-8", "backslashreplace").decode()
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _shown(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    return escaped(str(value))


class Filter(NamedTuple):
    """What a reader wants to see."""

    level: int = 0
    text: str = ""

    def passes(self, line: Line) -> bool:
        """Say whether a line is wanted."""
        return line.level >= self.level and self.text in line.text


def as_event_data(lines: Sequence[Line], dropped: int) -> str:
    """Write lines, and how many were dropped before them, as the data of one event."""
    body = b",".join(line.json for line in lines)
    return (b'{"dropped":%d,"lines":[%b]}' % (dropped, body)).decode()
