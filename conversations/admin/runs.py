"""What is in flight: runs, which can be stopped here, and the workers that produce them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.core.signing import BadSignature, TimestampSigner
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from conversations.admin.forms import ReadOnlyAdmin
from conversations.admin.live import live, owners_of
from conversations.admin.reading import may_read, note_reading
from conversations.ending import request_stop
from conversations.exceptions import NotFound
from conversations.models import Message
from conversations.shapes import message_shape
from streaming.models import Run, Worker
from streaming.statements import stored_parts

_OPENED_SECONDS = 3600
"""How long a page of a run may be read on before opening it is noted again."""


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    """Live runs on a page that updates by itself; each has a page with its text so far."""

    fields = [
        ("conversation", "owner", "model_name"),
        ("worker", "started_at", "state"),
        ("on_disconnect", "watched_until", "departed_at", "tries"),
    ]
    change_form_template = "admin/holdfast_streaming/run/change_form.html"

    class Media:
        css = {"all": ["conversations/admin/conversations.css", "conversations/admin/live.css"]}

    def get_urls(self) -> list[URLPattern]:
        """Add the parts of the page that are read again and again, and the stop."""
        view = self.admin_site.admin_view
        own = [
            path("live/", view(self.live_view), name="holdfast_streaming_run_live"),
            path("<uuid:run_id>/stop/", view(self.stop_view), name="holdfast_streaming_run_stop"),
            path("<uuid:run_id>/text/", view(self.text_view), name="holdfast_streaming_run_text"),
        ]
        return own + super().get_urls()

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the page of live runs."""
        return self._page(request, "page")

    def live_view(self, request: HttpRequest) -> HttpResponse:
        """Show what of the page changes."""
        return self._page(request, "tables")

    def _page(self, request: HttpRequest, name: str) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("Live runs"),
            "opts": self.opts,
            "media": self.media,
            "live": live(),
            "may_stop": self.has_stop_permission(request),
            "may_read": may_read(request),
        }
        template = f"admin/holdfast_streaming/run/{name}.html"
        response = TemplateResponse(request, template, context)
        response["Cache-Control"] = "no-store"
        return response

    def stop_view(self, request: HttpRequest, run_id: UUID) -> HttpResponseBase:
        """Record the wish; its worker polls for it, and what is stored stays."""
        if request.method != "POST" or not self.has_stop_permission(request):
            raise PermissionDenied
        replies = Message.objects.filter(id=run_id)
        owner_id = replies.values_list("conversation__owner_id", flat=True).first()
        asked = owner_id is not None and _stop(owner_id, run_id)
        if "application/json" in request.headers.get("Accept", ""):
            return JsonResponse({"asked": asked})
        said = gettext("The run was asked to stop.") if asked else gettext("The run has ended.")
        self.message_user(request, said, messages.SUCCESS)
        return redirect("admin:holdfast_streaming_run_changelist")

    def text_view(self, request: HttpRequest, run_id: UUID) -> HttpResponse:
        """Give the text so far to a page that was opened, and noted, before."""
        if not (self.has_view_permission(request) and may_read(request)):
            raise PermissionDenied
        try:
            _opening(request, run_id).unsign(request.GET.get("opened", ""), max_age=_OPENED_SECONDS)
        except BadSignature:
            raise PermissionDenied from None
        text = _text(run_id)
        if text is None:
            raise Http404
        return JsonResponse(text, headers={"Cache-Control": "no-store"})

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show a run, and what it has written so far to those who may read it."""
        context = dict(extra_context or {})
        run = self.get_object(request, object_id)
        if run is not None and self.has_view_permission(request, run) and may_read(request):
            note_reading(request, Run, gettext("Read the text so far."), object_id=run.pk)
            address = reverse("admin:holdfast_streaming_run_text", args=[run.pk])
            opened = _opening(request, run.pk).sign("read")
            context |= {"text": _text(run.pk), "text_address": f"{address}?opened={opened}"}
        return super().change_view(request, object_id, form_url, context)

    @admin.display(description=_("owner"))
    def owner(self, run: Any) -> Any:
        return run.owner

    @admin.display(description=_("worker"))
    def worker(self, run: Any) -> Any:
        return run.worker or gettext("lost")

    @admin.display(description=_("model"))
    def model_name(self, run: Run) -> str:
        return str(run.about.get("model", ""))

    @admin.display(description=_("state"))
    def state(self, run: Run) -> str:
        if run.discarded:
            return gettext("conversation deleted, ending")
        return gettext("stop requested") if run.stop_requested_at else gettext("running")

    @admin.display(description=_("conversation"))
    def conversation(self, run: Run) -> SafeString | str:
        conversation_id = run.about.get("conversation_id")
        if run.discarded or not conversation_id:
            return "-"
        url = reverse("admin:holdfast_conversations_conversation_change", args=[conversation_id])
        return format_html('<a href="{}">{}</a>', url, conversation_id)

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        run = super().get_object(request, object_id, from_field)
        if run is not None:
            run.owner = owners_of([run.id]).get(run.id)
            run.worker = Worker.objects.filter(id=run.worker_id).first()
        return run

    def has_stop_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("holdfast_streaming.change_run")


def _stop(owner_id: Any, run_id: UUID) -> bool:
    try:
        return not request_stop(owner_id, run_id)
    except NotFound:  # deleted since
        return False


def _opening(request: HttpRequest, run_id: UUID) -> TimestampSigner:
    """Sign that this member of staff opened this run, which was noted in the log."""
    return TimestampSigner(salt=f"holdfast.run.{run_id}.{request.user.pk}")


def _text(run_id: UUID) -> dict[str, Any] | None:
    """Read a reply's text as far as it is; fragments first, for a settled reply wins."""
    parts = stored_parts([run_id]).get(run_id)
    message = Message.objects.filter(id=run_id).first()
    if message is None:
        return None
    shape = message_shape(message, parts)
    texts = [[part["kind"], part["text"]] for part in shape["parts"] if "text" in part]
    return {"parts": texts, "running": message.status == Message.Status.RUNNING}


class WorkerList(ChangeList):
    """Counts the runs of each worker."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        _count_runs(self.result_list)


def _count_runs(workers: Sequence[Any]) -> None:
    rows = Run.objects.filter(worker_id__in=[worker.id for worker in workers])
    counts: dict[UUID, int] = dict(rows.order_by().values_list("worker_id").annotate(Count("id")))
    for worker in workers:
        worker.run_count = counts.get(worker.id, 0)


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    """Server processes as they know of each other."""

    list_display = ["__str__", "id", "version", "runs", "alive", "draining", "beat", "started_at"]
    ordering = ["host", "pid"]
    fields = ["id", "host", "pid", "version", "runs", "alive", "draining", "beat", "started_at"]

    @admin.display(description=_("runs"))
    def runs(self, worker: Any) -> int:
        return int(worker.run_count)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return WorkerList

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        worker = super().get_object(request, object_id, from_field)
        if worker is not None:
            _count_runs([worker])
        return worker
