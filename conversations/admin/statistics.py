"""The page of statistics: plots of the last days, and the same as CSV."""

from collections.abc import Callable, Iterator
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext, ngettext

from conversations import conf, offering, statistics
from conversations.admin import charts
from conversations.admin.reasons import in_words
from conversations.exports.filenames import file_name
from conversations.models import Message
from conversations.statistics import RANGES, Day
from streaming.responses import disposition
from streaming.responses.tables import BYTE_ORDER_MARK, csv_line

_DEFAULT = 30


def urls(site: admin.AdminSite) -> list[URLPattern]:
    """List the addresses of the page below the messages'."""
    return [
        path("statistics/", site.admin_view(_page(site)), name="holdfast_statistics"),
        path("statistics.csv", site.admin_view(_csv), name="holdfast_statistics_csv"),
    ]


def _page(site: admin.AdminSite) -> Callable[[HttpRequest], HttpResponse]:
    def page(request: HttpRequest) -> HttpResponse:
        """Show the plots."""
        found = statistics.days(_asked(request))
        prices = offering.prices()
        whole = statistics.together(found)
        context = {
            **site.each_context(request),
            "title": gettext("Statistics"),
            "charts": _charts(found, prices),
            "facts": _facts(whole, prices),
            "ranges": [
                (count, ngettext("%(count)s day", "%(count)s days", count) % {"count": count})
                for count in RANGES
            ],
            "range": len(found),
            "csv": f"{reverse('admin:holdfast_statistics_csv')}?days={len(found)}",
            "opts": Message._meta,
        }
        return TemplateResponse(request, "admin/holdfast_conversations/statistics.html", context)

    return page


def _csv(request: HttpRequest) -> HttpResponse:
    found = statistics.days(_asked(request))
    written = BYTE_ORDER_MARK + "".join(_lines(found))
    name = f"{conf.product_name().lower()}-{gettext('statistics')}-{timezone.now():%Y-%m-%d}"
    return HttpResponse(
        written,
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": disposition(file_name(name, "csv", default="statistics")),
            "Cache-Control": "no-store",
        },
    )


def _asked(request: HttpRequest) -> int:
    if not request.user.has_perm("holdfast_conversations.view_message"):
        raise PermissionDenied
    given = request.GET.get("days", "")
    return int(given) if given in map(str, RANGES) else _DEFAULT


def _charts(found: list[Day], prices: dict[str, offering.Price]) -> list[charts.Chart]:
    labels = [date_format(one.day, "MONTH_DAY_FORMAT") for one in found]
    outcomes = [
        (str(status.label), [one.outcomes[status] for one in found]) for status in Message.Status
    ]
    tokens = [
        (gettext("in"), [one.input_tokens for one in found]),
        (gettext("out"), [one.output_tokens for one in found]),
    ]
    reasons = sorted({reason for one in found for reason in one.interrupted})
    interrupted = [
        (in_words(reason), [one.interrupted[reason] for one in found]) for reason in reasons
    ]
    waited = [
        (name, [one.percentile(share) for one in found])
        for name, share in (("p50", 0.5), ("p95", 0.95))
    ]
    cost = [(gettext("cost"), [float(one.cost(prices)) for one in found])]
    return [
        charts.stacked(gettext("Runs per day, by outcome"), labels, outcomes),
        charts.stacked(gettext("Tokens per day"), labels, tokens),
        charts.lines(gettext("Time to the first token"), labels, waited, unit="ms"),
        charts.stacked(gettext("Interruptions by reason"), labels, interrupted),
        charts.stacked(gettext("Cost per day"), labels, cost),
    ]


def _facts(whole: Day, prices: dict[str, offering.Price]) -> list[tuple[str, Any]]:
    def milliseconds(share: float) -> str:
        value = whole.percentile(share)
        return "-" if value is None else f"{value:,} ms"

    return [
        (gettext("runs"), f"{whole.runs:,}"),
        (gettext("completed"), f"{whole.outcomes['completed']:,}"),
        (gettext("tokens in"), f"{whole.input_tokens:,}"),
        (gettext("tokens out"), f"{whole.output_tokens:,}"),
        (gettext("first token, p50"), milliseconds(0.5)),
        (gettext("first token, p95"), milliseconds(0.95)),
        (gettext("cost"), f"{whole.cost(prices):,.2f}"),
    ]


def _lines(found: list[Day]) -> Iterator[str]:
    prices = offering.prices()
    reasons = sorted({reason for one in found for reason in one.interrupted})
    statuses = [status.value for status in Message.Status]
    yield csv_line(
        ["day", "runs", *statuses, "input_tokens", "output_tokens", "first_token_p50_ms"]
        + ["first_token_p95_ms", "cost", *(f"interrupted_{reason}" for reason in reasons)]
    )
    for one in found:
        yield csv_line(
            [one.day.isoformat(), one.runs, *(one.outcomes[status] for status in statuses)]
            + [one.input_tokens, one.output_tokens, one.percentile(0.5), one.percentile(0.95)]
            + [f"{one.cost(prices):f}", *(one.interrupted[reason] for reason in reasons)]
        )
