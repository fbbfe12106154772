"""In-flight data only: these tables are empty on an idle server, but for the workers."""

from typing import Self
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Worker(models.Model):
    """One server process. Its row is gone after a clean end; a dead one's when its runs are."""

    id = models.UUIDField(primary_key=True, editable=False)
    host = models.CharField(_("host"), max_length=255)
    pid = models.PositiveIntegerField(_("process id"))
    beat = models.PositiveBigIntegerField(_("beat"), default=0)
    alive = models.BooleanField(_("alive"), default=True)
    draining = models.BooleanField(_("draining"), default=False)
    started_at = models.DateTimeField(_("started at"), auto_now_add=True)
    version = models.CharField(_("version"), max_length=40, blank=True)
    watched_until = models.DateTimeField(null=True)
    """Until when somebody looks at live runs: only then it reports."""
    report = models.JSONField(default=dict)
    """Its live runs and its readers, as of its latest beat while somebody looked."""

    class Meta:
        verbose_name = _("worker")
        verbose_name_plural = _("workers")

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"


class RunQuerySet(models.QuerySet["Run"]):
    """Verbs of runs."""

    def owned_by(self, worker_id: UUID) -> Self:
        """Runs that this worker produces."""
        return self.filter(worker_id=worker_id)

    def to_end(self) -> Self:
        """Runs that a person ended or whose conversation is gone."""
        return self.filter(Q(stop_requested_at__isnull=False) | Q(discarded=True))

    def orphaned(self) -> Self:
        """Runs whose worker is dead or unknown, or gave them away."""
        alive = Worker.objects.filter(alive=True).values("id")
        return self.exclude(worker_id__in=alive, released=False)

    def offered(self) -> Self:
        """Runs that a living worker gives away: it waits until somebody takes them."""
        alive = Worker.objects.filter(alive=True).values("id")
        return self.filter(worker_id__in=alive, released=True)

    def resumable(self, *, tries: int) -> Self:
        """Runs that nobody ended and whose tries are not used up."""
        tried_less = Q(tries__lt=tries) | Q(released=True)
        return self.filter(tried_less, stop_requested_at__isnull=True, discarded=False)


class Run(models.Model):
    """The production of one reply while in flight; `id` is the reply's. Gone once settled."""

    id = models.UUIDField(primary_key=True, editable=False)
    worker_id = models.UUIDField(db_index=True)
    claim = models.UUIDField()
    owner_key = models.CharField(max_length=64, db_index=True)
    about = models.JSONField(default=dict)
    on_disconnect = models.CharField(_("when nobody reads"), max_length=8, default="continue")
    started_at = models.DateTimeField(
        _("started at"),
    )
    stop_requested_at = models.DateTimeField(null=True)
    discarded = models.BooleanField(default=False)
    watched_until = models.DateTimeField(_("watched until"), null=True)
    departed_at = models.DateTimeField(_("last reader left at"), null=True)
    tries = models.PositiveSmallIntegerField(_("times taken over"), default=0, db_default=0)
    """How often another worker went on with it because the one before was lost."""
    claimed_at = models.DateTimeField(null=True)
    """When the latest of them did."""
    released = models.BooleanField(default=False, db_default=False)
    """Whether its worker gave it away at the end of its drain: anybody may go on with it."""

    objects = RunQuerySet.as_manager()

    class Meta:
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        constraints = [
            models.CheckConstraint(
                name="holdfast_run_on_disconnect",
                condition=Q(on_disconnect__in=["continue", "stop"]),
            )
        ]
        indexes = [
            models.Index(
                name="holdfast_run_to_end",
                fields=["worker_id"],
                condition=Q(stop_requested_at__isnull=False) | Q(discarded=True),
            )
        ]

    def __str__(self) -> str:
        return str(self.id)


class Fragment(models.Model):
    """A piece of a live run's text, keyed by run and the cursor at its end.

    No foreign key: a deferred one would fail the commit of all runs for one of them.
    """

    run_id = models.UUIDField()
    part = models.PositiveIntegerField()
    kind = models.CharField(max_length=16)
    end = models.PositiveIntegerField()
    text = models.TextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="holdfast_fragment_key", fields=["run_id", "part", "end"]),
        ]

    def __str__(self) -> str:
        return f"{self.run_id} {self.part}-{self.end}"
