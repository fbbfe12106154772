"""Rated replies, latest first."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from conversations.admin.filters import ModelFilter
from conversations.admin.forms import ReadOnlyAdmin, outcome_badge
from conversations.admin.lists import CountedPaginator
from conversations.admin.messages import conversation_link
from conversations.models import RatedReply


class RatingFilter(admin.SimpleListFilter):
    """Good or bad."""

    title = _("rating")
    parameter_name = "rating"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [("1", _("Good reply")), ("-1", _("Bad reply"))]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any]":
        return queryset.filter(rating=self.value()) if self.value() in ("1", "-1") else queryset


class CommentFilter(admin.SimpleListFilter):
    """Whether its reader said why."""

    title = _("comment")
    parameter_name = "said"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [("1", pgettext_lazy("comment", "With a comment"))]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any]":
        return queryset.exclude(comment="") if self.value() == "1" else queryset


class RatedList(ChangeList):
    """Reads no text of a message."""

    def apply_select_related(self, qs: "QuerySet[Any]") -> "QuerySet[Any]":
        owner = f"conversation__owner__{get_user_model().USERNAME_FIELD}"
        names = ("rating", "comment", "status", "reason", "model", "created_at")
        return qs.select_related("conversation__owner").only(*names, "conversation__id", owner)


@admin.register(RatedReply)
class RatedReplyAdmin(ReadOnlyAdmin):
    """What people think of replies; the way to the reply itself is a permission further."""

    list_display = ["rated", "comment", "owner", "model", "outcome", "created_at", "said_in"]
    list_display_links = None
    list_filter = [RatingFilter, CommentFilter, ModelFilter, "created_at"]
    ordering = ["-created_at", "-id"]
    paginator = CountedPaginator
    search_fields = ["comment"]
    fields = ["rated", "comment", "owner", "model", "outcome", "created_at", "said_in"]

    class Media:
        css = {"all": ["conversations/admin/conversations.css", "conversations/admin/live.css"]}

    @admin.display(description=_("rating"), ordering="rating")
    def rated(self, reply: RatedReply) -> str:
        return gettext("Good reply") if reply.rating > 0 else gettext("Bad reply")

    @admin.display(description=_("owner"))
    def owner(self, reply: RatedReply) -> Any:
        return reply.conversation.owner

    @admin.display(description=_("outcome"))
    def outcome(self, reply: RatedReply) -> SafeString:
        return outcome_badge(reply.status, reply.reason)

    @admin.display(description=_("conversation"))
    def said_in(self, reply: RatedReply) -> SafeString:
        return conversation_link(reply)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return RatedList
