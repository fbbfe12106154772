"""Which bytes of a file a request asks for (RFC 9110, section 14). Pure."""

import re
from typing import NamedTuple

_RANGE = re.compile(r"bytes=[ \t]*(\d{0,18})-(\d{0,18})[ \t]*", re.ASCII | re.IGNORECASE)


class Unsatisfiable(Exception):
    """The file has none of these bytes."""


class Span(NamedTuple):
    """Bytes from `start` on, up to but not with `stop`."""

    start: int
    stop: int

    @property
    def size(self) -> int:
        """How many bytes these are."""
        return self.stop - self.start


def parse_range(header: str, size: int) -> Span | None:
    """Read a Range header.

    Returns:
        None where there is nothing to go by, so that the whole file is the answer: no header, one
        that is malformed, or several ranges, which nobody needs to serve.
    Raises:
        Unsatisfiable: one range, of which the file has nothing.
    """
    found = _RANGE.fullmatch(header)
    if found is None or not any(found.groups()):
        return None
    first, last = (int(digits) if digits else None for digits in found.groups())
    if first is None:
        assert last is not None
        if not min(last, size):
            raise Unsatisfiable
        return Span(max(size - last, 0), size)
    if last is not None and last < first:
        return None
    if first >= size:
        raise Unsatisfiable
    return Span(first, size if last is None else min(last + 1, size))


def may_resume(if_range: str, *, etag: str, last_modified: str = "") -> bool:
    """Say whether a part fits what the client has already (If-Range), by a strong comparison."""
    if not if_range:
        return True
    if if_range.startswith('"'):
        return if_range == etag
    return bool(last_modified) and if_range == last_modified
