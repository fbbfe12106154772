"""What a worker tells operators of its runs and readers; written only while somebody looks."""

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Now

from streaming.models import Worker

if TYPE_CHECKING:
    from streaming.workers import LocalWorker

_WATCHED_FOR = timedelta(seconds=15)


class Progress(NamedTuple):
    """How a live run does, by the worker that produces it."""

    state: str
    idle_seconds: float
    characters: int


class Reported(NamedTuple):
    """What the workers said last."""

    readers: Counter[UUID]
    """By run, over all workers."""
    runs: dict[UUID, Progress]
    known: bool
    """Whether any worker has reported; before that nothing is known of readers."""


def report(worker: "LocalWorker") -> dict[str, Any]:
    """Describe the runs that this process produces, and count its readers of any run."""
    readers = Counter(str(one.run_id) for one in worker.subscriptions)
    recovering = worker.journal.failing_since is not None
    runs = {
        str(run.run_id): [
            "recovering" if recovering else run.state,
            round(run.idle_seconds, 1),
            run.transcript.characters,
        ]
        for run in worker.runs.values()
    }
    return {"readers": dict(readers), "runs": runs}


def ask_for_reports() -> None:
    """Let the workers report with each beat for a while; writes only where that would end soon."""
    soon = Now() + _WATCHED_FOR / 2
    ending = Worker.objects.filter(Q(watched_until__isnull=True) | Q(watched_until__lt=soon))
    if ending.filter(alive=True).exists():
        ending.filter(alive=True).update(watched_until=Now() + _WATCHED_FOR)


def read_reports(workers: Iterable[Worker]) -> Reported:
    """Put together what the workers say."""
    readers: Counter[UUID] = Counter()
    runs: dict[UUID, Progress] = {}
    known = False
    for worker in workers:
        if worker.alive and worker.report:
            known = True
            for run_id, count in worker.report["readers"].items():
                readers[UUID(run_id)] += count
            for run_id, told in worker.report["runs"].items():
                runs[UUID(run_id)] = Progress(*told)
    return Reported(readers, runs, known)
