"""Tables of any number of messages, written while they are sent: one page in memory at a time.

Each page is a read of its own, by key from where the last one ended. So nothing holds a
transaction for minutes: on SQLite the log of writes could not be folded into the file meanwhile,
on PostgreSQL nothing could be vacuumed.
"""

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

import msgspec
from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet

from conversations.models import Conversation, Message
from streaming import threads
from streaming.detached import spawn
from streaming.responses.tables import BYTE_ORDER_MARK, csv_line, csv_lines

Format = Literal["csv", "jsonl"]

_FIRST_ROWS = 100
_MOST_ROWS = 1000
_PAGE_BYTES = 512 * 1024
"""What a page should amount to; texts may be long."""
_CONVERSATIONS = 50

METADATA = (
    "conversation_id",
    "id",
    "parent_id",
    "owner",
    "role",
    "model",
    "provider",
    "status",
    "reason",
    "created_at",
    "settled_at",
    "input_tokens",
    "output_tokens",
    "first_token_ms",
    "duration_ms",
    "rating",
)
TEXTS = ("title", "comment", "content")
"""Left out for those who may not read what people write."""


class Page(NamedTuple):
    """Some rows as they are sent, and where the next ones begin."""

    written: bytes
    rows: int
    last: Any


class Table(NamedTuple):
    """What an export has of each message, and how it is written."""

    format: Format
    readable: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """Name the columns in order."""
        return METADATA + TEXTS if self.readable else METADATA

    def head(self) -> bytes:
        """Write what comes before the first row: it is sent before anything is read."""
        if self.format == "jsonl":
            return b""
        return (BYTE_ORDER_MARK + csv_line(self.columns)).encode()

    def rows(self, messages: "QuerySet[Message]") -> list[tuple[Any, ...]]:
        """Read the rows of a page."""
        paths = {
            "owner": f"conversation__owner__{get_user_model().USERNAME_FIELD}",
            "title": "conversation__title",
        }
        return list(messages.values_list(*(paths.get(name, name) for name in self.columns)))

    def write(self, rows: Iterable[tuple[Any, ...]]) -> bytes:
        """Write rows as lines."""
        if self.format == "jsonl":
            encode = msgspec.json.encode
            return b"".join(
                encode(dict(zip(self.columns, row, strict=True))) + b"\n" for row in rows
            )
        return csv_lines(rows).encode()


def messages(table: Table, chosen: "QuerySet[Message]") -> AsyncGenerator[bytes]:
    """Write the chosen messages, oldest first.

    Cancellation: ends with the page that is being read; its connection is given back.
    """
    rows = chosen.select_related(None).order_by("created_at", "id")

    def read(last: tuple[datetime, UUID] | None, most: int) -> Page:
        behind = rows
        if last is not None:
            # As a range of the index, and not as an alternative, of which SQLite makes a scan.
            at, one = last
            behind = rows.filter(created_at__gte=at).exclude(created_at=at, id__lte=one)
        return _page(table, behind[:most])

    return _held(table, _pages(read))


def messages_of(table: Table, chosen: "QuerySet[Conversation]") -> AsyncGenerator[bytes]:
    """Write the messages of the chosen conversations, one conversation after the other."""
    return _held(table, _all_of(table, chosen))


async def _all_of(table: Table, chosen: "QuerySet[Conversation]") -> AsyncGenerator[bytes]:
    conversations = chosen.select_related(None).order_by("id").values_list("id", flat=True)
    last: UUID | None = None
    while True:
        behind = conversations if last is None else conversations.filter(id__gt=last)
        ids: list[UUID] = await threads.bulk(list, behind[:_CONVERSATIONS])
        async with aclosing(_pages(_reader_of(table, ids))) as pieces:
            async for piece in pieces:
                yield piece
        if len(ids) < _CONVERSATIONS:
            return
        last = ids[-1]


def _reader_of(table: Table, ids: list[UUID]) -> Callable[[Any, int], Page]:
    rows = Message.objects.filter(conversation_id__in=ids)
    rows = rows.order_by("conversation_id", "created_at", "id")

    def read(last: tuple[UUID, datetime, UUID] | None, most: int) -> Page:
        behind = rows
        if last is not None:
            conversation_id, at, one = last
            same = Q(conversation_id=conversation_id)
            later = Q(created_at__gt=at) | Q(created_at=at, id__gt=one)
            behind = rows.filter(Q(conversation_id__gt=conversation_id) | (same & later))
        return _page(table, behind[:most])

    return read


def _page(table: Table, found: "QuerySet[Message]") -> Page:
    rows = table.rows(found)
    if not rows:
        return Page(b"", 0, None)
    place = dict(zip(table.columns, rows[-1], strict=True))
    ordered = [name for name in found.query.order_by if isinstance(name, str)]
    return Page(table.write(rows), len(rows), tuple(place[name] for name in ordered))


async def _pages(read: Callable[[Any, int], Page]) -> AsyncGenerator[bytes]:
    last, most = None, _FIRST_ROWS
    while True:
        page = await threads.bulk(read, last, most)
        if page.written:
            yield page.written
        if page.rows < most:
            return
        last = page.last
        fitting = most * _PAGE_BYTES // len(page.written)
        most = max(1, min(_MOST_ROWS, fitting, most * 4))


async def _held(table: Table, pieces: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    try:
        head = table.head()
        if head:
            yield head
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece
    finally:
        spawn(threads.release_bulk(), name="end of an export")
