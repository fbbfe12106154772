"""Webhooks and their deliveries: what was told to whom, and how that went."""

from collections import Counter
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from conversations.admin.forms import ReadOnlyAdmin
from conversations.admin.lists import CountedPaginator
from conversations.admin.lookups import GuardedAdmin
from conversations.admin.reading import may_read
from conversations.models import Delivery, Webhook
from conversations.webhooks import outbox
from conversations.webhooks.models import new_secret


class WebhookForm(forms.ModelForm):  # type: ignore[type-arg]
    """Where, what, and whether with another secret."""

    renew = forms.BooleanField(
        label=_("New secret"),
        required=False,
        help_text=_("Make another secret and show it once; the old one counts no more."),
    )

    class Meta:
        model = Webhook
        fields = ["url", "description", "enabled", "with_content"]

    def clean_url(self) -> str:
        url = str(self.cleaned_data["url"])
        if "@" in url.partition("://")[2].partition("/")[0]:
            raise ValidationError(_("Leave name and password out of the address."))
        return url


class WebhookList(ChangeList):
    """Counts the deliveries that are not done, for the rows of the page."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        rows = Delivery.objects.filter(webhook_id__in=[hook.pk for hook in self.result_list])
        open_ones = rows.exclude(state=Delivery.State.DELIVERED).order_by()
        found = {hook.pk: Counter[str]() for hook in self.result_list}
        for pk, state, count in open_ones.values_list("webhook_id", "state").annotate(Count("id")):
            found[pk][state] = count
        for hook in self.result_list:
            hook.counts = found[hook.pk]


@admin.register(Webhook)
class WebhookAdmin(GuardedAdmin):
    """A webhook's secret is shown once, when it is made."""

    form = WebhookForm
    list_display = ["__str__", "url", "enabled", "with_content", "waiting", "dead"]

    @admin.display(description=_("waiting"))
    def waiting(self, webhook: Any) -> int:
        return int(webhook.counts[Delivery.State.WAITING])

    @admin.display(description=_("given up"))
    def dead(self, webhook: Any) -> int:
        return int(webhook.counts[Delivery.State.DEAD])

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return WebhookList

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = ("url", "description", "enabled", "with_content")
        return fields if obj is None else (*fields, "renew")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Let only who may read texts send them somewhere; reports that wait have them already."""
        if may_read(request):
            return ()
        return ("with_content",) if obj is None else ("url", "with_content")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change and form.cleaned_data.get("renew"):
            obj.secret = new_secret()
        super().save_model(request, obj, form, change)
        transaction.on_commit(outbox.forget)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        super().delete_model(request, obj)
        transaction.on_commit(outbox.forget)

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        return self._secret_of(request, obj)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        if "renew" in request.POST:
            return self._secret_of(request, obj)
        return super().response_change(request, obj)

    def _secret_of(self, request: HttpRequest, webhook: Webhook) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": _("Webhook"),
            "webhook": webhook,
        }
        page = "admin/holdfast_conversations/webhook/made.html"
        return TemplateResponse(request, page, context, headers={"Cache-Control": "no-store"})


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """Latest first; what was given up can be sent again."""

    list_display = [
        *("id", "webhook", "run_id", "state", "attempts"),
        *("last_outcome", "created_at", "next_at", "done_at"),
    ]
    list_filter = ["state", "webhook"]
    list_select_related = ["webhook"]
    list_per_page = 50
    show_full_result_count = False
    paginator = CountedPaginator
    search_fields = ["=id", "=run_id"]
    fields = [
        *("id", "webhook", "run_id", "state", "attempts"),
        *("last_outcome", "created_at", "next_at", "done_at"),
    ]
    actions = ["send_again"]

    @admin.action(description=_("Send the selected deliveries again"), permissions=["send"])
    def send_again(self, request: HttpRequest, queryset: "QuerySet[Delivery]") -> None:
        count = outbox.redeliver(list(queryset.values_list("pk", flat=True)))
        text = ngettext(
            "%(count)s delivery is sent again.", "%(count)s deliveries are sent again.", count
        )
        self.message_user(request, text % {"count": count})

    def has_send_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("holdfast_conversations.change_delivery")
