"""Live runs and workers as the page that updates by itself shows them."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Count
from django.utils import timezone

from conversations.models import Message
from streaming import workers
from streaming.conf import conf
from streaming.models import Run, Worker
from streaming.reports import Progress, ask_for_reports, read_reports

MOST_RUNS = 200
"""The oldest live runs that the page lists; of others it tells how many there are."""


class LiveRow(NamedTuple):
    """A live run, for the template."""

    run: Run
    conversation_id: str
    owner: Any
    model: str
    worker: Worker | None
    age_seconds: int
    progress: Progress | None
    readers: int | None


class WorkerRow(NamedTuple):
    """A worker, for the template."""

    worker: Worker
    runs: int
    readers: int | None
    here: bool
    """Whether it is the one that answers."""
    silent_seconds: float | None


class Live(NamedTuple):
    """Everything that the page shows."""

    runs: list[LiveRow]
    more: int
    workers: list[WorkerRow]
    lease_seconds: float

    @property
    def total(self) -> int:
        """How many runs there are."""
        return len(self.runs) + self.more


def live() -> Live:
    """Read what is in flight, in few statements however much it is."""
    ask_for_reports()
    known = list(Worker.objects.order_by("host", "pid", "id"))
    told = read_reports(known)
    found = list(Run.objects.order_by("started_at", "id")[:MOST_RUNS])
    owners = owners_of([run.id for run in found])
    by_id = {worker.id: worker for worker in known}
    now = timezone.now()
    runs = [
        LiveRow(
            run,
            "" if run.discarded else str(run.about.get("conversation_id", "")),
            owners.get(run.id),
            str(run.about.get("model", "")),
            by_id.get(run.worker_id),
            max(0, int((now - run.started_at).total_seconds())),
            told.runs.get(run.id),
            told.readers[run.id] if told.known else None,
        )
        for run in found
    ]
    rows = Run.objects.order_by().values_list("worker_id").annotate(Count("id"))
    counts: dict[UUID, int] = dict(rows)
    listed = [_worker_row(worker, counts.get(worker.id, 0)) for worker in known]
    return Live(runs, sum(counts.values()) - len(runs), listed, conf().lease_seconds)


def owners_of(run_ids: Sequence[UUID]) -> dict[UUID, Any]:
    """Read the owners of replies."""
    replies = Message.objects.filter(id__in=run_ids).order_by()
    replies = replies.select_related("conversation__owner").only("id", "conversation__owner")
    return {reply.id: reply.conversation.owner for reply in replies}


def _worker_row(worker: Worker, runs: int) -> WorkerRow:
    here = workers.peek()
    is_here = here is not None and here.id == worker.id
    silent = None
    if here is not None and not is_here:
        silent = here.silent_seconds(worker.id, worker.beat)
    report = worker.report if worker.alive else {}
    readers = sum(report["readers"].values()) if report else None
    return WorkerRow(worker, runs, readers, is_here, silent)
