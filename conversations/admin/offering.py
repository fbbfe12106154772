"""Models and announcements: what operators set while the server runs."""

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Model, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from conversations import offering
from conversations.admin.forms import save_changed
from conversations.admin.lookups import GuardedAdmin
from conversations.operating import Announcement, OfferedModel
from conversations.providers import providers


class RevisedAdmin(GuardedAdmin):
    """Rows that every process keeps in mind: each change is told."""

    topic = ""

    def save_model(
        self, request: HttpRequest, obj: Model, form: "ModelForm[Any]", change: bool
    ) -> None:
        """Save, and tell."""
        with transaction.atomic():
            if change:
                save_changed(obj, form)
            else:
                super().save_model(request, obj, form, change)
            offering.revise(self.topic)

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        """Delete, and tell."""
        with transaction.atomic():
            super().delete_model(request, obj)
            offering.revise(self.topic)

    def delete_queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> None:
        """Delete, and tell."""
        with transaction.atomic():
            super().delete_queryset(request, queryset)
            offering.revise(self.topic)


@admin.register(OfferedModel)
class OfferedModelAdmin(RevisedAdmin):
    """Every model that the providers offer has a row as soon as this list is looked at."""

    topic = "models"
    list_display = [
        "id",
        "name",
        "provider",
        "on_offer",
        "position",
        "enabled",
        "is_default",
        "input_price",
        "output_price",
    ]
    list_editable = ["name", "position", "enabled", "input_price", "output_price"]
    list_filter = ["provider", "enabled"]
    search_fields = ["id", "name"]
    ordering = ["position", "id"]
    actions = ["make_default", "enable", "disable"]
    readonly_fields = ["id", "provider", "is_default", "on_offer"]
    fields = [
        ("id", "provider", "on_offer"),
        ("name", "position"),
        ("enabled", "is_default"),
        ("input_price", "output_price"),
        "system_prompt",
    ]

    class Media:
        css = {"all": ["conversations/admin/live.css"]}

    @admin.display(description=_("offered by its provider"), boolean=True)
    def on_offer(self, model: OfferedModel) -> bool:
        return model.id in {one.id for one in providers.models()}

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Models come from the providers."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Forget a model that its provider does not have any more."""
        gone = obj is None or not self.on_offer(obj)
        return gone and super().has_delete_permission(request, obj)

    def get_actions(self, request: HttpRequest, action_location: Any = None) -> Any:
        """Leave out the deletion of many: what is on offer would come back at once.

        Args:
            action_location: given by Django from 6.1 on.
        """
        given = {} if action_location is None else {"action_location": action_location}
        found = super().get_actions(request, **given)
        found.pop("delete_selected", None)
        return found

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Enter models that are new, then list them all."""
        if self.has_view_or_change_permission(request):
            offering.note_models()
        return super().changelist_view(request, extra_context)

    @admin.action(description=_("Make the selected model the default"), permissions=["change"])
    def make_default(self, request: HttpRequest, queryset: "QuerySet[OfferedModel]") -> None:
        """Offer it first to whoever has not chosen."""
        chosen = list(queryset[:2])
        if len(chosen) != 1:
            self.message_user(request, gettext("Choose one model."), messages.ERROR)
            return
        offering.make_default(chosen[0].pk)

    @admin.action(description=_("Enable the selected models"), permissions=["change"])
    def enable(self, request: HttpRequest, queryset: "QuerySet[OfferedModel]") -> None:
        """Offer them."""
        self._switch(request, queryset, enabled=True)

    @admin.action(description=_("Disable the selected models"), permissions=["change"])
    def disable(self, request: HttpRequest, queryset: "QuerySet[OfferedModel]") -> None:
        """Do not offer them; conversations that have them fall back to the default."""
        self._switch(request, queryset, enabled=False)

    def _switch(
        self, request: HttpRequest, queryset: "QuerySet[OfferedModel]", *, enabled: bool
    ) -> None:
        ids = list(queryset.values_list("pk", flat=True))
        left = len(ids) - offering.switch(ids, enabled=enabled)
        if left:
            said = gettext("The default stays enabled; choose another default first.")
            self.message_user(request, said, messages.WARNING)


@admin.register(Announcement)
class AnnouncementAdmin(RevisedAdmin):
    """What is saved here shows on every open page within two seconds."""

    topic = "announcements"
    list_display = ["text", "level", "starts_at", "ends_at", "is_shown"]
    list_filter = ["level"]
    date_hierarchy = None
    fields = ["text", "level", ("starts_at", "ends_at")]
    actions = ["end_now"]

    @admin.display(description=_("shown now"), boolean=True)
    def is_shown(self, row: Announcement) -> bool:
        now = timezone.now()
        return row.starts_at <= now and (row.ends_at is None or row.ends_at > now)

    @admin.action(description=_("End the selected announcements"), permissions=["change"])
    def end_now(self, request: HttpRequest, queryset: "QuerySet[Announcement]") -> None:
        """Take them off the pages, and keep them here."""
        with transaction.atomic():
            now = timezone.now()
            ended = queryset.filter(starts_at__lt=now).exclude(ends_at__lt=now).update(ends_at=now)
            offering.revise(self.topic)
        said = ngettext("%(count)s announcement ended.", "%(count)s announcements ended.", ended)
        self.message_user(request, said % {"count": ended}, messages.SUCCESS)
