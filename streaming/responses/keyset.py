"""The rows of a queryset, page by page: no cursor stays open, and no page counts what it skips."""

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, TypeVar

from django.db.models import Q, QuerySet

from streaming import threads

T = TypeVar("T")

PAGE_ROWS = 500


async def pages(
    queryset: "QuerySet[Any, Any]",
    *,
    by: Sequence[str] = ("pk",),
    rows: int = PAGE_ROWS,
    read: Callable[["QuerySet[Any, Any]"], list[Any]] = list,
    make: Callable[[list[Any]], T] | None = None,
) -> AsyncGenerator[Any]:
    """Read a queryset in pages, each by a query of its own in a database thread.

    A long export holds no transaction and no connection between two pages: writers go on, and so
    do other exports. What is written meanwhile behind the place comes, too; nothing comes twice.

    Args:
        by: ascending fields, together unique and never null, best those of an index; the rows or
            their dicts must have them. Any other order of the queryset is dropped.
        rows: in a page.
        read: evaluates the query of a page, in the thread; may shape the rows, not drop any.
        make: makes what is given of the rows of a page, in the thread; by default it is the list.
    Yields:
        pages that are not empty, in order.
    """
    ordered = queryset.order_by(*by)
    last: tuple[Any, ...] | None = None
    while True:
        after = ordered if last is None else ordered.filter(_behind(by, last))
        made, last, found = await threads.read(_page, after[:rows], by, read, make)
        if found:
            yield made
        if found < rows:
            return


def _page(
    query: "QuerySet[Any, Any]",
    by: Sequence[str],
    read: Callable[["QuerySet[Any, Any]"], list[Any]],
    make: Callable[[list[Any]], Any] | None,
) -> tuple[Any, tuple[Any, ...] | None, int]:
    page = read(query)
    last = tuple(_value(page[-1], name) for name in by) if page else None
    return (page if make is None or not page else make(page)), last, len(page)


def _value(row: Any, name: str) -> Any:
    return row[name] if isinstance(row, dict) else getattr(row, name)


def _behind(by: Sequence[str], last: tuple[Any, ...]) -> Q:
    """Say what lies behind a place, in the words in which an index finds it."""
    behind = Q()
    same = Q()
    for name, value in zip(by, last, strict=True):
        behind |= same & Q(**{f"{name}__gt": value})
        same &= Q(**{name: value})
    return Q(**{f"{by[0]}__gte": last[0]}) & behind if len(by) > 1 else behind
