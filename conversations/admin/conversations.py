"""Conversations: a list to find them in, and a page to read them on."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import Count, QuerySet, Sum
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from pydantic import ValidationError as Unfit

from conversations.admin.delete_all import DeletingAdmin
from conversations.admin.deleting import Doomed, discard_conversations, doomed_conversations
from conversations.admin.exports import ExportingAdmin
from conversations.admin.filters import REPLY_FILTERS
from conversations.admin.forms import outcome_badge, save_changed
from conversations.admin.lists import CountedPaginator
from conversations.admin.reading import may_read, note_reading
from conversations.admin.search import matching, naming
from conversations.admin.transcript import Totals, transcript
from conversations.exports import bulk
from conversations.models import Conversation, Message
from conversations.requests import SettingsBody
from conversations.sync import announce

_METADATA = [
    (None, {"fields": ["owner", ("model", "pinned", "archived")]}),
    (_("Settings and dates"), {"fields": ["settings", "id", "created_at", "updated_at"]}),
]


class ConversationForm(ModelForm):  # type: ignore[type-arg]
    """Settings by the rules of the API: others would fail each start."""

    def clean_settings(self) -> dict[str, Any]:
        given = self.cleaned_data["settings"]
        try:
            body = SettingsBody.model_validate({} if given is None else given, extra="forbid")
        except Unfit:
            said = _(
                "An object in which temperature (0 to 2) and max_output_tokens (a whole number "
                "from 1 to 1,000,000) may be, and nothing else."
            )
            raise ValidationError(said) from None
        return body.model_dump(exclude_none=True)


class ConversationList(ChangeList):
    """Reads what the list shows and no long text; counts only for the rows of the page."""

    def apply_select_related(self, qs: "QuerySet[Any]") -> "QuerySet[Any]":
        return qs.select_related("owner", "head").only(
            "title",
            "model",
            "pinned",
            "archived",
            "updated_at",
            f"owner__{get_user_model().USERNAME_FIELD}",
            "head__status",
            "head__reason",
            "head__role",
        )

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        found = _totals([row.pk for row in self.result_list])
        for row in self.result_list:
            row.totals = found.get(row.pk, Totals(0, 0, 0))


def _totals(ids: list[UUID]) -> dict[UUID, Totals]:
    rows = Message.objects.filter(conversation_id__in=ids).order_by().values("conversation_id")
    summed = rows.annotate(
        messages=Count("id"), input=Sum("input_tokens"), output=Sum("output_tokens")
    )
    return {
        row["conversation_id"]: Totals(row["messages"], row["input"] or 0, row["output"] or 0)
        for row in summed
    }


@admin.register(Conversation)
class ConversationAdmin(ExportingAdmin, DeletingAdmin):
    """Titles and settings can be changed; whose it is, what was said, what it cost: only read."""

    form = ConversationForm
    list_display = ["name", "owner", "last_reply", "model", "messages", "tokens", "updated_at"]
    list_filter = [*REPLY_FILTERS, "updated_at", "pinned", "archived"]
    list_per_page = 50
    list_max_show_all = 100
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # a count for each choice is a query for each
    ordering = ["-updated_at", "-id"]
    date_hierarchy = "updated_at"
    paginator = CountedPaginator
    change_list_template = "admin/holdfast_conversations/exported_list.html"
    search_fields = ["title"]
    search_help_text = _(
        "Words of a title, a message or an owner's name; or the id of any of them. "
        "Texts are searched only for those who may read them."
    )
    readonly_fields = ["owner", "id", "created_at", "updated_at"]
    fieldsets = [
        (None, {"fields": [("title", "owner"), ("model", "pinned", "archived")]}),
        (
            _("Settings and dates"),
            {
                "classes": ["collapse"],
                "fields": ["system_prompt", "settings", "id", "created_at", "updated_at"],
            },
        ),
    ]

    class Media:
        css = {"all": ["conversations/admin/conversations.css", "conversations/admin/live.css"]}

    @admin.display(description=_("conversation"), ordering="title")
    def name(self, conversation: Conversation) -> str:
        words = {"pinned": gettext("pinned"), "archived": gettext("archived")}
        marks = [word for name, word in words.items() if getattr(conversation, name)]
        title = conversation.title or gettext("Untitled")
        return f"{title} ({', '.join(marks)})" if marks else title

    @admin.display(description=_("last reply"))
    def last_reply(self, conversation: Conversation) -> str:
        head = conversation.head
        if head is None or head.role != Message.Role.ASSISTANT:
            return gettext("none yet")
        return outcome_badge(head.status, head.reason)

    @admin.display(description=_("messages"))
    def messages(self, conversation: Any) -> int:
        return int(conversation.totals.messages)

    @admin.display(description=_("tokens in / out"))
    def tokens(self, conversation: Any) -> str:
        totals = conversation.totals
        return f"{totals.input_tokens:,} / {totals.output_tokens:,}"

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Conversations begin in the chat."""
        return False

    def write_export(self, table: bulk.Table, chosen: "QuerySet[Any]") -> Any:
        return bulk.messages_of(table, chosen)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        more = {"may_delete_all": self.has_delete_permission(request)}
        return super().changelist_view(request, {**more, **(extra_context or {})})

    def view_on_site(self, conversation: Conversation) -> str:
        return conversation.get_absolute_url()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return ConversationList

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[Any]", search_term: str
    ) -> tuple["QuerySet[Any]", bool]:
        term = search_term.strip()
        find = matching if may_read(request) else naming
        return (queryset.filter(find(term)) if term else queryset), False

    def get_list_display(self, request: HttpRequest) -> Any:
        """Name a conversation by its id where what is in it may not be read: a title tells that."""
        return self.list_display if may_read(request) else ["id", *self.list_display[1:]]

    def get_list_display_links(self, request: HttpRequest, list_display: Any) -> Any:
        """Lead from the first column to the conversation."""
        return list_display[:1]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Leave out what people wrote where it may not be read."""
        return self.fieldsets if may_read(request) else _METADATA

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        if context["original"] is not None:
            conversation, readable = context["original"], may_read(request)
            if readable:
                note_reading(
                    request, Conversation, gettext("Read the messages."), object_id=conversation.pk
                )
            context["transcript"] = transcript(conversation, request.GET, readable=readable)
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(
        self, request: HttpRequest, obj: Conversation, form: "ModelForm[Any]", change: bool
    ) -> None:
        save_changed(obj, form)
        announce(obj.owner_id, ("conversation.updated", {"conversation_id": obj.pk}))

    def delete_model(self, request: HttpRequest, obj: Conversation) -> None:
        discard_conversations([obj.pk])

    def delete_queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> None:
        discard_conversations(list(queryset.values_list("pk", flat=True)))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Doomed:
        return doomed_conversations(objs, readable=may_read(request))
