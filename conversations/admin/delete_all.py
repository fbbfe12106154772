"""Deleting everything that a list shows, some at a time, with progress."""

import time
from datetime import datetime
from typing import Any

from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext

from conversations.admin.deleting import discard_conversations
from conversations.admin.lists import MOST_COUNTED
from conversations.admin.lookups import GuardedAdmin
from conversations.models import Conversation

_BATCH = 50
_SECONDS = 1.0
"""How long a step goes on before it says how far it is."""


class DeletingAdmin(GuardedAdmin):
    """A list of conversations that can be emptied."""

    def get_urls(self) -> list[URLPattern]:
        """Add the page that deletes all that a list shows."""
        name = f"{self.opts.app_label}_{self.opts.model_name}_delete_all"
        view = self.admin_site.admin_view(self.delete_all_view)
        return [path("delete-all/", view, name=name), *super().get_urls()]

    def delete_all_view(self, request: HttpRequest) -> HttpResponse:
        """Ask; then delete a step with each POST, until nothing is left."""
        if not self.has_delete_permission(request):
            raise PermissionDenied
        try:
            changes = self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            raise Http404 from None
        chosen = changes.get_queryset(request).select_related(None)
        # What is made meanwhile was not meant.
        until = parse_datetime(request.POST.get("until", "")) or timezone.now()
        deleted = self._step(request, chosen, until) if request.method == "POST" else 0
        left = self._made(chosen, until).order_by()[:MOST_COUNTED].count()
        if "application/json" in request.headers.get("Accept", ""):
            return JsonResponse({"deleted": deleted, "left": left})
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Delete all conversations of a list"),
            "opts": self.opts,
            "left": left,
            "capped": left >= MOST_COUNTED,
            "until": until.isoformat(),
            "deleted": deleted,
            "query": changes.get_query_string(),
            "filtered": bool(changes.get_filters_params() or changes.query),
        }
        name = "admin/holdfast_conversations/conversation/delete_all.html"
        return TemplateResponse(request, name, context)

    def _made(self, chosen: "QuerySet[Any]", until: datetime) -> "QuerySet[Any]":
        return chosen.filter(created_at__lte=until)

    def _step(self, request: HttpRequest, chosen: "QuerySet[Any]", until: datetime) -> int:
        end = time.monotonic() + _SECONDS
        deleted = 0
        while time.monotonic() < end:
            rows = self._made(chosen, until).order_by("id")
            ids = list(rows.values_list("pk", flat=True)[:_BATCH])
            discard_conversations(ids)
            deleted += len(ids)
            if len(ids) < _BATCH:
                break
        if deleted:
            self._note(request, deleted)
        return deleted

    def _note(self, request: HttpRequest, deleted: int) -> None:
        user: Any = request.user
        meta: Any = Conversation._meta
        LogEntry.objects.create(
            user=user,
            content_type=ContentType.objects.get_for_model(Conversation),
            object_repr=f"{deleted} {meta.verbose_name_plural}",
            action_flag=DELETION,
            change_message=request.GET.urlencode(),
        )
