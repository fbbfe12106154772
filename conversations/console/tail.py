"""The last lines of this process's log, kept by a handler that costs a logging call very little.

It formats nothing, takes no lock and wakes nobody: it appends to a bounded deque, which is atomic.
Warnings and worse have a deque of their own, so that a flood of others cannot push them out.
"""

import itertools
import logging
from collections import deque
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

from streaming import facts

LINES = 1000
_MOST_CHARACTERS = 4000
_PLAIN = frozenset({str, int, float, bool, type(None)})
_number = itemgetter(0)


class Kept(NamedTuple):
    """What is kept of one record; it holds nothing large and nothing of anybody else's."""

    number: int
    at: float
    level: int
    logger: str
    thread: str | None
    message: str
    args: Any
    facts: dict[str, Any]
    written: str
    """The whole line as the formatter writes it, where it could not wait."""


class LogTail(logging.Handler):
    """Keeps the last lines; whatever lies before them is forgotten.

    Its formatter writes JSON, and takes out what nobody may read, once somebody watches.
    """

    def __init__(self, lines: int = LINES) -> None:
        super().__init__()
        self._calm: deque[tuple[Any, ...]] = deque(maxlen=lines)
        self._loud: deque[tuple[Any, ...]] = deque(maxlen=lines)
        self._numbers = itertools.count(1)

    def createLock(self) -> None:
        """Have none: nothing here needs it, and no thread is to wait."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        """Keep a record, in one or two millionths of a second: nothing here is written twice."""
        message, args = record.msg, record.args
        if args or type(message) is not str:
            if type(message) is not str or not _is_plain(args):
                message, args = _text(record), ()
        if len(message) > _MOST_CHARACTERS:
            message = message[:_MOST_CHARACTERS]
        kept = self._loud if record.levelno >= logging.WARNING else self._calm
        kept.append(
            (
                next(self._numbers),
                record.created,
                record.levelno,
                record.name,
                record.threadName,
                message,
                args,
                record.__dict__.get("facts") or facts.known(),
                # A traceback holds on to whatever its frames have.
                self._write(record) if record.exc_info else "",
            )
        )
        return True

    def kept(self) -> list[Kept]:
        """Return what is kept, in order."""
        return self.kept_since(0)

    def kept_since(self, number: int) -> list[Kept]:
        """Return what is newer than a number, in order."""
        both = [*self._calm.copy(), *self._loud.copy()]
        return [Kept._make(one) for one in sorted(both, key=_number) if one[0] > number]

    def _write(self, record: logging.LogRecord) -> str:
        try:
            return self.formatter.format(record) if self.formatter is not None else ""
        except Exception:  # whoever logs does not want to know
            return ""


def _is_plain(args: Any) -> bool:
    """Say whether these can be formatted later, by another thread, to the same text."""
    if type(args) is not tuple:
        return not args
    for one in args:
        kind = type(one)
        if kind not in _PLAIN or (kind is str and len(one) > _MOST_CHARACTERS):
            return False
    return True


def _text(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()[:_MOST_CHARACTERS]
    except Exception:  # a line that does not fit its arguments is still worth reading
        return record.msg if isinstance(record.msg, str) else f"<{type(record.msg).__name__}>"


@lru_cache(maxsize=1)
def of_this_process() -> LogTail:
    """Return this process's; `LOGGING` gives it to the root logger."""
    return LogTail()
