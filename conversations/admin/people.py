"""Users and guests, with how much they have here."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import UserAdmin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from conversations.admin.deleting import Doomed, delete_users, doomed_users
from conversations.admin.forms import ReadOnlyAdmin, save_changed
from conversations.admin.lists import CountedPaginator
from conversations.admin.lookups import GuardedAdmin
from conversations.models import Guest
from conversations.usage import Used, used_by

User = get_user_model()


class PeopleList(ChangeList):
    """Counts what people have and used for the rows of the page; a guest's key is the user's."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        found = used_by(row.pk for row in self.result_list)
        for row in self.result_list:
            row.used = found.get(row.pk, Used())


class GuestFilter(admin.SimpleListFilter):
    """Whether a user came without signing up."""

    title = _("guest")
    parameter_name = "guest"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [("1", _("Guests")), ("0", _("Signed up"))]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any]":
        if self.value() is None:
            return queryset
        return queryset.filter(holdfast_guest__isnull=self.value() != "1")


@admin.display(description=_("conversations"))
def conversations(row: Any) -> SafeString:
    """Count a person's conversations, with the way to them."""
    url = reverse("admin:holdfast_conversations_conversation_changelist")
    count: int = row.used.conversations
    return format_html('<a href="{}?owner__id__exact={}">{}</a>', url, row.pk, count)


@admin.display(description=_("replies"))
def replies(row: Any) -> str:
    """Count a person's replies."""
    return f"{row.used.replies:,}"


@admin.display(description=_("tokens in / out"))
def tokens(row: Any) -> str:
    """Sum up a person's tokens."""
    return f"{row.used.input_tokens:,} / {row.used.output_tokens:,}"


@admin.display(description=_("cost"))
def cost(row: Any) -> str:
    """Sum up what a person's replies cost, by the prices as they are now."""
    return f"{row.used.cost:,.2f}"


@admin.display(description=_("last active"))
def last_active(row: Any) -> Any:
    """Say when a person last asked or changed something."""
    return row.used.last_active


class ChatUserAdmin(GuardedAdmin, UserAdmin):  # type: ignore[type-arg]
    """Django's page of users; deleting one ends their runs first."""

    list_display = (
        "username",
        "email",
        "is_guest",
        "is_staff",
        conversations,
        replies,
        tokens,
        cost,
        last_active,
    )
    paginator = CountedPaginator
    list_filter = (GuestFilter, "is_staff", "is_superuser", "is_active", "groups")
    list_select_related = ("holdfast_guest",)
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    @admin.display(boolean=True, description=_("guest"))
    def is_guest(self, user: Any) -> bool:
        return hasattr(user, "holdfast_guest")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return PeopleList

    def save_model(
        self, request: HttpRequest, obj: Any, form: "ModelForm[Any]", change: bool
    ) -> None:
        if change:
            save_changed(obj, form)
        else:
            super().save_model(request, obj, form, change)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        delete_users(User._default_manager.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> None:
        delete_users(queryset)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Doomed:
        return doomed_users(objs)


# Where a project has a user, or a page of users, of its own, that one stays.
if type(admin.site._registry.get(User)) is UserAdmin:
    admin.site.unregister(User)
    admin.site.register(User, ChatUserAdmin)


@admin.register(Guest)
class GuestAdmin(ReadOnlyAdmin):
    """Guests, latest first; to delete one, delete the user."""

    list_display = ["user", "created_at", "last_seen", conversations, tokens, last_active]
    paginator = CountedPaginator
    list_display_links = None
    list_select_related = ["user"]
    ordering = ["-pk"]
    search_fields = [f"user__{User.USERNAME_FIELD}"]
    fields = ["user", "created_at", "last_seen"]

    @admin.display(description=_("last signed in"))
    def last_seen(self, guest: Guest) -> Any:
        return guest.user.last_login

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return PeopleList
