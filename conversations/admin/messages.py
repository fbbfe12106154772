"""Messages: figures in a list, and a page to read one on."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from conversations.admin import statistics
from conversations.admin.exports import ExportingAdmin
from conversations.admin.filters import ModelFilter, ProviderFilter
from conversations.admin.forms import ReadOnlyAdmin, outcome_badge
from conversations.admin.lists import CountedPaginator
from conversations.admin.reading import may_read, note_reading
from conversations.admin.search import said_in
from conversations.exports import bulk
from conversations.models import Message


class MessageList(ChangeList):
    """Reads what the list shows, and no text."""

    def apply_select_related(self, qs: "QuerySet[Any]") -> "QuerySet[Any]":
        owner = f"conversation__owner__{get_user_model().USERNAME_FIELD}"
        return (
            qs.select_related("conversation__owner")
            .defer(None)
            .only(
                "role",
                "status",
                "reason",
                "model",
                "input_tokens",
                "output_tokens",
                "created_at",
                "conversation__id",
                owner,
            )
        )


@admin.register(Message)
class MessageAdmin(ExportingAdmin, ReadOnlyAdmin):
    """Every message that there is; one is read on a page of its own, which is noted."""

    list_display = ["created_at", "role", "owner", "outcome", "model", "tokens", "in_conversation"]
    list_filter = ["role", "status", ModelFilter, ProviderFilter, "created_at"]
    ordering = ["-created_at", "-id"]
    date_hierarchy = "created_at"
    paginator = CountedPaginator
    search_fields = ["id"]
    search_help_text = _(
        "An owner's name, or the id of a message or a conversation; words only for those who may "
        "read messages."
    )
    change_list_template = "admin/holdfast_conversations/exported_list.html"
    fields = [
        ("id", "in_conversation"),
        ("role", "owner"),
        ("outcome", "model", "provider"),
        ("input_tokens", "output_tokens", "first_token_ms", "duration_ms"),
        ("created_at", "settled_at"),
        "rating",
    ]

    class Media:
        css = {"all": ["conversations/admin/conversations.css", "conversations/admin/live.css"]}

    def get_urls(self) -> list[URLPattern]:
        """Add the statistics of all messages."""
        return [*statistics.urls(self.admin_site), *super().get_urls()]

    @admin.display(description=_("owner"))
    def owner(self, message: Message) -> Any:
        return message.conversation.owner

    @admin.display(description=_("outcome"))
    def outcome(self, message: Message) -> SafeString | str:
        if message.role != Message.Role.ASSISTANT:
            return "-"
        return outcome_badge(message.status, message.reason)

    @admin.display(description=_("tokens in / out"))
    def tokens(self, message: Message) -> str:
        if message.input_tokens is None or message.output_tokens is None:
            return "-"
        return f"{message.input_tokens:,} / {message.output_tokens:,}"

    @admin.display(description=_("conversation"))
    def in_conversation(self, message: Message) -> SafeString:
        return conversation_link(message)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return MessageList

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[Any]", search_term: str
    ) -> tuple["QuerySet[Any]", bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            one = UUID(term)
        except ValueError:
            owned = Q(**{f"conversation__owner__{get_user_model().USERNAME_FIELD}": term})
            found = owned | Q(id__in=said_in(term)) if may_read(request) else owned
            return queryset.filter(found), False
        return queryset.filter(Q(id=one) | Q(conversation_id=one)), False

    def write_export(self, table: bulk.Table, chosen: "QuerySet[Any]") -> Any:
        return bulk.messages(table, chosen)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        message = context["original"]
        if message is not None and may_read(request):
            note_reading(request, Message, gettext("Read the message."), object_id=message.pk)
            context["read"] = message
        return super().render_change_form(request, context, *args, **kwargs)


def conversation_link(message: Any) -> SafeString:
    """Lead to a message where it was said."""
    url = reverse(
        "admin:holdfast_conversations_conversation_change", args=[message.conversation_id]
    )
    return format_html(
        '<a href="{}?message={}#message-{}">{}</a>',
        url,
        message.pk,
        message.pk,
        str(message.conversation_id)[-12:],
    )
