"""What is in flight: runs, which can be stopped here, and the workers that produce them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from conversations.admin.forms import ReadOnlyAdmin
from conversations.ending import request_stop
from conversations.exceptions import NotFound
from conversations.models import Message
from streaming.models import Run, Worker


class RunList(ChangeList):
    """Reads owners and workers once for all rows: a run knows both by key only."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        _name(self.result_list)


def _name(runs: Sequence[Any]) -> None:
    """Attach to each run its owner and its worker."""
    replies = Message.objects.filter(id__in=[run.id for run in runs]).order_by()
    replies = replies.select_related("conversation__owner").only("id", "conversation__owner")
    owners = {reply.id: reply.conversation.owner for reply in replies}
    workers = Worker.objects.in_bulk([run.worker_id for run in runs])
    for run in runs:
        run.owner = owners.get(run.id)
        run.worker = workers.get(run.worker_id)


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    """Live runs; their text so far is on the page of their conversation."""

    list_display = ["id", "conversation", "owner", "model_name", "worker", "age", "state"]
    ordering = ["started_at"]
    actions = ["stop"]
    fields = [
        ("conversation", "owner", "model_name"),
        ("worker", "started_at", "state"),
        ("on_disconnect", "watched_until", "departed_at"),
    ]

    @admin.display(description=_("owner"))
    def owner(self, run: Any) -> Any:
        return run.owner

    @admin.display(description=_("worker"))
    def worker(self, run: Any) -> Any:
        return run.worker or gettext("lost")

    @admin.display(description=_("model"))
    def model_name(self, run: Run) -> str:
        return str(run.about.get("model", ""))

    @admin.display(description=_("age"))
    def age(self, run: Run) -> str:
        return timesince(run.started_at)

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
        return format_html('<a href="{}">{}</a>', url, gettext("Read"))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return RunList

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        run = super().get_object(request, object_id, from_field)
        if run is not None:
            _name([run])
        return run

    def has_stop_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("holdfast_streaming.change_run")

    @admin.action(description=_("Stop selected runs"), permissions=["stop"])
    def stop(self, request: HttpRequest, queryset: "QuerySet[Run]") -> None:
        """Record the wish; the workers poll for it, and what is stored stays."""
        ids = list(queryset.values_list("id", flat=True))
        replies = Message.objects.filter(id__in=ids).order_by()
        asked = sum(
            _stop(owner_id, run_id)
            for run_id, owner_id in replies.values_list("id", "conversation__owner_id")
        )
        said = ngettext(
            "Asked %(count)s run to stop; it ends within a second.",
            "Asked %(count)s runs to stop; each ends within a second.",
            asked,
        )
        self.message_user(request, said % {"count": asked}, messages.SUCCESS)


def _stop(owner_id: Any, run_id: UUID) -> bool:
    try:
        return not request_stop(owner_id, run_id)
    except NotFound:  # deleted since
        return False


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

    list_display = ["__str__", "id", "runs", "alive", "draining", "beat", "started_at"]
    ordering = ["host", "pid"]
    fields = ["id", "host", "pid", "runs", "alive", "draining", "beat", "started_at"]

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
