"""What several pages of the administration share: read-only lists, and saving what changed."""

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from conversations.admin.lookups import GuardedAdmin
from conversations.admin.reasons import in_words
from conversations.models import Message


class ReadOnlyAdmin(GuardedAdmin):
    """Rows that only the server writes."""

    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        name = self.opts.model_name
        return any(
            request.user.has_perm(f"{self.opts.app_label}.{verb}_{name}")
            for verb in ("view", "change")
        )


def save_changed(obj: Model, form: ModelForm) -> None:  # type: ignore[type-arg]
    """Save the columns that the form changed, and leave the others to whoever writes them now."""
    columns = {field.name for field in obj._meta.concrete_fields}
    obj.save(update_fields=[name for name in form.changed_data if name in columns])


def outcome_badge(status: str, reason: str) -> SafeString:
    """Show how a reply ended, in the colours of its status."""
    name = Message.Status(status).label
    badge = format_html('<span class="outcome outcome-{}">{}</span>', status, name)
    why = "" if reason == "stop" else in_words(reason)
    return format_html('{} <span class="outcome-reason">{}</span>', badge, why) if why else badge
