"""Filters of lists by what replies are: of conversations by those in them, of messages by each."""

from typing import Any

from django.contrib import admin
from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from conversations.admin.reasons import in_words
from conversations.models import Message
from streaming.outcome import (
    COMPLETED_REASONS,
    FAILED_REASONS,
    INTERRUPTED_REASONS,
    STOPPED_REASONS,
)

REASONS: dict[str, tuple[str, ...]] = {
    "completed": COMPLETED_REASONS,
    "stopped": STOPPED_REASONS,
    "interrupted": INTERRUPTED_REASONS,
    "failed": tuple(FAILED_REASONS),
}
_OUTCOMES = {reason: status for status, reasons in REASONS.items() for reason in reasons}


class _ReplyFilter(admin.SimpleListFilter):
    """Conversations with such a reply; filters together ask for one reply that is all of it."""

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any]":
        if issubclass(queryset.model, Message):
            value = self.value()
            return queryset.filter(**{str(self.parameter_name): value}) if value else queryset
        asked = {
            one.parameter_name: value
            for one in REPLY_FILTERS
            if (value := request.GET.get(str(one.parameter_name)))
        }
        # The first of those asked for speaks for all of them.
        if next(iter(asked), None) != self.parameter_name:
            return queryset
        if "reason" in asked:  # each belongs to one outcome, by which the index is ordered
            asked.setdefault("status", _OUTCOMES.get(asked["reason"], ""))
        # One look-up per conversation, until the page is full; IN would collect all replies first.
        replies = Message.objects.filter(conversation_id=OuterRef("pk"), role="assistant", **asked)
        return queryset.filter(Exists(replies))


class OutcomeFilter(_ReplyFilter):
    """How a reply ended."""

    title = _("outcome of a reply")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return Message.Status.choices


class ReasonFilter(_ReplyFilter):
    """Why a reply ended so; offered once an outcome is chosen, for the list of all is long."""

    title = _("reason")
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        chosen = request.GET.get("reason", "")
        status = request.GET.get("status") or _OUTCOMES.get(chosen, "")
        reasons = REASONS.get(status) or ((chosen,) if chosen else ())
        return [(reason, in_words(reason)) for reason in reasons]


class ProviderFilter(_ReplyFilter):
    """Which provider a reply came from."""

    title = _("provider")
    parameter_name = "provider"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [(name, name) for name in distinct("provider")]


class ModelFilter(_ReplyFilter):
    """Which model a reply came from."""

    title = _("model")
    parameter_name = "model"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [(name, name) for name in distinct("model")]


REPLY_FILTERS = (OutcomeFilter, ReasonFilter, ProviderFilter, ModelFilter)


def distinct(column: str) -> list[str]:
    """List the values of an indexed column of the messages, but for the empty one.

    From each value to the next along the index: `SELECT DISTINCT` reads every row.
    """
    table, name = (connection.ops.quote_name(word) for word in (Message._meta.db_table, column))
    statement = (
        f"WITH RECURSIVE found(value) AS ("
        f" SELECT min({name}) FROM {table} WHERE {name} > ''"
        f" UNION ALL"
        f" SELECT (SELECT min({name}) FROM {table} WHERE {name} > found.value)"
        f" FROM found WHERE found.value IS NOT NULL"
        f") SELECT value FROM found WHERE value IS NOT NULL"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return [value for (value,) in cursor.fetchall()]
