"""Tables as files, CSV or JSON lines, of any number of rows."""

import csv
import io
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from django.db.models import QuerySet

from streaming.responses.disposition import disposition
from streaming.responses.keyset import PAGE_ROWS, pages
from streaming.responses.stream import StreamResponse, close_source

BYTE_ORDER_MARK = "\ufeff"
"""Spreadsheets read a file without it in some 8-bit encoding."""

CONTENT_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")

Row = Mapping[str, Any]


class TableResponse(StreamResponse):
    """A table as a file, written while it is sent: memory does not grow with it.

    Args:
        rows: a queryset, read in pages by its key; or an async iterable of mappings.
        columns: what a row has, in order: the names of fields, or the keys that `row` gives.
        name: of the file, with its suffix, which says what it is: `.csv` or `.jsonl`.
        by: the key of the pages, see `pages`.
        row: makes a mapping of a row; for a queryset it is called in a database thread with an
            instance, and without it only the columns are read.
    """

    kind = "tables"
    own_headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

    def __init__(
        self,
        rows: "QuerySet[Any, Any] | AsyncIterable[Row]",
        *,
        columns: Sequence[str],
        name: str,
        by: Sequence[str] = ("pk",),
        row: Callable[[Any], Row] | None = None,
        **kwargs: Any,
    ) -> None:
        form = name.rpartition(".")[2]
        if form not in CONTENT_TYPES:
            raise ValueError(f"{name!r} ends in neither .csv nor .jsonl")
        kwargs["headers"] = {
            "Content-Disposition": disposition(name),
            **(kwargs.get("headers") or {}),
        }
        kwargs["content_type"] = CONTENT_TYPES[form]
        write = as_csv if form == "csv" else as_jsonl
        written = write(rows, columns=columns, by=by, row=row)
        super().__init__(written, source=rows if hasattr(rows, "aclose") else None, **kwargs)


async def as_csv(
    rows: "QuerySet[Any, Any] | AsyncIterable[Row]",
    *,
    columns: Sequence[str],
    by: Sequence[str] = ("pk",),
    row: Callable[[Any], Row] | None = None,
) -> AsyncGenerator[bytes]:
    """Write CSV that no spreadsheet takes for formulas; see `TableResponse` for the arguments."""
    yield (BYTE_ORDER_MARK + csv_line(columns)).encode()

    def lines(found: Iterable[Row]) -> bytes:
        return csv_lines([one[name] for name in columns] for one in found).encode()

    async for piece in _pieces(rows, columns, by, row, lines):
        yield piece


async def as_jsonl(
    rows: "QuerySet[Any, Any] | AsyncIterable[Row]",
    *,
    columns: Sequence[str],
    by: Sequence[str] = ("pk",),
    row: Callable[[Any], Row] | None = None,
) -> AsyncGenerator[bytes]:
    """Write each row as a JSON object on a line; see `TableResponse` for the arguments."""
    encode = msgspec.json.Encoder(enc_hook=str).encode

    def lines(found: Iterable[Row]) -> bytes:
        return b"".join(encode({name: one[name] for name in columns}) + b"\n" for one in found)

    async for piece in _pieces(rows, columns, by, row, lines):
        yield piece


async def _pieces(
    rows: "QuerySet[Any, Any] | AsyncIterable[Row]",
    columns: Sequence[str],
    by: Sequence[str],
    row: Callable[[Any], Row] | None,
    lines: Callable[[Iterable[Row]], bytes],
) -> AsyncGenerator[bytes]:
    """Give what `lines` makes of the rows: a page at a time of a queryset, else one by one."""
    if isinstance(rows, QuerySet):

        def make(page: list[Any]) -> bytes:
            return lines(page if row is None else map(row, page))

        read = rows.values(*dict.fromkeys([*columns, *by])) if row is None else rows
        source: Any = pages(read, by=by, rows=PAGE_ROWS, make=make)
    else:
        source = rows
    try:
        async for found in source:
            if isinstance(rows, QuerySet):
                yield found
            else:
                yield lines([found if row is None else row(found)])
    finally:
        await close_source(source)


def csv_line(cells: Iterable[Any]) -> str:
    """Write cells as one line."""
    return csv_lines([cells])


def csv_lines(rows: Iterable[Iterable[Any]]) -> str:
    """Write rows as lines."""
    written = io.StringIO()
    writer = csv.writer(written)
    for cells in rows:
        writer.writerow([_cell(cell) for cell in cells])
    return written.getvalue()


def _cell(value: Any) -> Any:
    """Neutralise what a spreadsheet would run; numbers of ours are none of it.

    Source: OWASP, CSV injection.
    """
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return "" if value is None else _plain(value)


def _plain(value: Any) -> str:
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    if isinstance(value, dict | list):
        return msgspec.json.encode(value, enc_hook=str).decode()
    return str(value)
