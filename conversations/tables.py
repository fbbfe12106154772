"""Messages as rows of CSV that no spreadsheet takes for formulas. Pure."""

import csv
import io
from collections.abc import Iterable
from typing import Any

COLUMNS = (
    "conversation_id",
    "title",
    "message_id",
    "parent_id",
    "role",
    "model",
    "status",
    "reason",
    "created_at",
    "input_tokens",
    "output_tokens",
    "content",
)
BYTE_ORDER_MARK = "\ufeff"
"""Spreadsheets read a file without it in some 8-bit encoding."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def row(conversation: dict[str, Any], message: dict[str, Any]) -> str:
    """Write one message as a line."""
    usage = message["usage"] or {}
    return line(
        (
            conversation["id"],
            conversation["title"],
            message["id"],
            message["parent_id"],
            message["role"],
            message["model"],
            message["status"],
            message["reason"],
            message["created_at"].isoformat(),
            usage.get("input_tokens"),
            usage.get("output_tokens"),
            message["content"],
        )
    )


def line(cells: Iterable[Any]) -> str:
    """Write cells as one line."""
    written = io.StringIO()
    csv.writer(written).writerow([_cell(cell) for cell in cells])
    return written.getvalue()


def _cell(value: Any) -> str:
    """Neutralise what a spreadsheet would run; numbers of ours are none of it.

    Source: OWASP, CSV injection.
    """
    text = "" if value is None else str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text
