"""The cursor: how much of a run a reader has, written `part-offset`, e.g. `1-348`."""

import re
from typing import NamedTuple

_PATTERN = re.compile(r"(0|[1-9][0-9]{0,5})-(0|[1-9][0-9]{0,9})", re.ASCII)


class BadCursor(ValueError):
    """The text is not a cursor, or lies beyond the end of the run."""


class Cursor(NamedTuple):
    """A place in a run. Cursors compare as places do: earlier is smaller."""

    part: int
    """Number of the part, from 1; 0 only at the very start."""
    offset: int
    """Unicode code points of that part that the reader has."""

    def __str__(self) -> str:
        return f"{self.part}-{self.offset}"

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Read a cursor.

        Raises:
            BadCursor: the text has another form, or names an offset in part 0.
        """
        match = _PATTERN.fullmatch(text)
        if match is None:
            raise BadCursor(f"not a cursor: {text[:40]!r}")
        cursor = cls(int(match[1]), int(match[2]))
        if cursor.part == 0 and cursor.offset:
            raise BadCursor(f"not a cursor: {text[:40]!r}")
        return cursor


START = Cursor(0, 0)
