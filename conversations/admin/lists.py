"""Lists of a million rows: counted up to a limit, dated without a look at every row."""

from datetime import date
from functools import cached_property
from typing import Any

from django.core.paginator import Paginator
from django.db import models
from django.utils import formats, timezone
from django.utils.text import capfirst
from django.utils.translation import gettext

MOST_COUNTED = 10_000
"""Rows that a list counts and leads to; filters and dates find what lies beyond."""


class CountedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts up to a limit: the whole would be read for each page that is looked at."""

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        if isinstance(rows, models.QuerySet):
            return int(rows.order_by()[:MOST_COUNTED].count())
        return len(rows)


def dates(changes: Any) -> dict[str, Any]:
    """Lead to years, months and days between the first row of a list and its last.

    Django's own asks for all distinct dates, which reads every row. Here two look-ups along the
    index tell the ends, and what lies between is arithmetic.
    """
    field = changes.date_hierarchy
    year, month, day = (_chosen(changes, field, part) for part in ("year", "month", "day"))

    def choice(title: str, **parts: int) -> dict[str, str]:
        given = {f"{field}__{name}": value for name, value in parts.items()}
        return {"title": capfirst(title), "link": changes.get_query_string(given, [f"{field}__"])}

    def month_of(one: date) -> str:
        return formats.date_format(one, "YEAR_MONTH_FORMAT")

    if year and month and day:
        that_day = date(year, month, day)
        back = choice(month_of(that_day), year=year, month=month)
        title = capfirst(formats.date_format(that_day, "MONTH_DAY_FORMAT"))
        return {"show": True, "back": back, "choices": [{"title": title}]}
    first, last = _ends(changes.queryset, field)
    if first is None or last is None:
        return {"show": False}
    if year and month:
        days = range(first.day, last.day + 1) if _one_month(first, last) else ()
        choices = [
            choice(
                formats.date_format(date(year, month, number), "MONTH_DAY_FORMAT"),
                year=year,
                month=month,
                day=number,
            )
            for number in days
        ]
        return {"show": True, "back": choice(str(year), year=year), "choices": choices}
    if year or first.year == last.year:
        months = [date(first.year, number, 1) for number in range(first.month, last.month + 1)]
        choices = [choice(month_of(one), year=one.year, month=one.month) for one in months]
        return {
            "show": True,
            "back": choice(gettext("All dates")) if year else None,
            "choices": choices,
        }
    years = range(last.year, first.year - 1, -1)
    return {
        "show": True,
        "back": None,
        "choices": [choice(str(number), year=number) for number in years],
    }


def _chosen(changes: Any, field: str, part: str) -> int:
    try:
        return int(changes.params.get(f"{field}__{part}") or 0)
    except ValueError:
        return 0


def _ends(rows: "models.QuerySet[Any]", field: str) -> tuple[date | None, date | None]:
    def end(order: str) -> date | None:
        found = rows.select_related(None).order_by(order).values_list(field, flat=True).first()
        return timezone.localtime(found).date() if found else None

    return end(field), end(f"-{field}")


def _one_month(first: date, last: date) -> bool:
    return (first.year, first.month) == (last.year, last.month)
