"""API keys: whose, for what, last used when; made, shown once, and revoked."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from conversations.accounts import keys
from conversations.admin.lists import CountedPaginator
from conversations.admin.lookups import GuardedAdmin
from conversations.models import ApiKey


class ApiKeyForm(forms.ModelForm):  # type: ignore[type-arg]
    """What a key is called, whose it is, and what it is for."""

    scopes = forms.MultipleChoiceField(
        label=_("scopes"),
        choices=lambda: list(keys.SCOPES.items()),
        initial=[keys.READ, keys.CHAT],
        widget=forms.CheckboxSelectMultiple,
    )

    class Meta:
        model = ApiKey
        fields = ["owner", "name", "scopes"]


class ValidFilter(admin.SimpleListFilter):
    """Whether a key still opens something."""

    title = _("state")
    parameter_name = "valid"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [("1", _("Valid")), ("0", _("Revoked"))]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any]":
        if self.value() is None:
            return queryset
        return queryset.filter(revoked_at__isnull=self.value() == "1")


@admin.register(ApiKey)
class ApiKeyAdmin(GuardedAdmin):
    """Keys are never changed and never deleted: who revoked one wants to see it later."""

    form = ApiKeyForm
    list_display = ["name", "owner", "prefix", "what_for", "created_at", "last_used_at", "state"]
    list_filter = [ValidFilter]
    list_select_related = ["owner"]
    list_per_page = 50
    show_full_result_count = False
    paginator = CountedPaginator
    search_fields = ["name", "prefix", "owner__pk"]
    date_hierarchy = "created_at"
    raw_id_fields = ["owner"]
    actions = ["revoke"]

    @admin.display(description=_("scopes"))
    def what_for(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @admin.display(boolean=True, description=_("valid"))
    def state(self, key: ApiKey) -> bool:
        return key.revoked_at is None

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        shown = ("prefix", "created_at", "last_used_at", "revoked_at")
        return () if obj is None else ("owner", "name", "what_for", *shown)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Ask for an owner only superusers: who has a key is its owner to everything."""
        if obj is not None:
            return self.get_readonly_fields(request, obj)
        return ("owner", "name", "scopes") if _is_superuser(request) else ("name", "scopes")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and super().has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        owner = obj.owner if _is_superuser(request) else request.user
        made, secret = keys.make(owner, obj.name, obj.scopes)
        obj.__dict__.update(made.__dict__)
        obj.secret = secret

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": _("API key"),
            "key": obj,
            "secret": obj.secret,
        }
        page = "admin/holdfast_conversations/apikey/made.html"
        return TemplateResponse(request, page, context, headers={"Cache-Control": "no-store"})

    @admin.action(description=_("Revoke the selected keys"), permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: "QuerySet[ApiKey]") -> None:
        count = keys.revoke(queryset)
        text = ngettext("%(count)s key is revoked.", "%(count)s keys are revoked.", count)
        self.message_user(request, text % {"count": count})


def _is_superuser(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))
