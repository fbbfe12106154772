"""Attempts at what a secret guards, and the growing waits between them.

Kept in the database, for all processes: a row for each thing that is counted, under a digest, since
people type passwords into the field for the name.
"""

from datetime import timedelta
from math import ceil
from typing import NamedTuple

from django.db import models, transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

_FORGOTTEN_AFTER = timedelta(hours=1)


class Attempts(models.Model):
    """How often something was tried without success, and when it may be tried again."""

    key = models.CharField(max_length=64, primary_key=True)
    failures = models.PositiveIntegerField(default=0)
    at = models.DateTimeField(db_index=True)
    free_at = models.DateTimeField()

    class Meta:
        verbose_name = _("attempts")
        verbose_name_plural = _("attempts")

    def __str__(self) -> str:
        return f"{self.failures} attempts"


class Rule(NamedTuple):
    """How one thing is counted."""

    name: str
    free: int
    """Failures without a wait; the next one waits a second, and each further one twice as long."""
    longest_seconds: int


class Counted(NamedTuple):
    """What one attempt counts against."""

    rule: Rule
    what: str

    @property
    def key(self) -> str:
        return salted_hmac(f"attempts {self.rule.name}", self.what, algorithm="sha256").hexdigest()


def try_now(counted: list[Counted]) -> int:
    """Count an attempt as failed, if nothing has to wait; `succeeded` takes it back.

    Counted before it is made, so that many at once are not all the first. One that has to wait
    makes nobody wait longer.

    Returns:
        0, or the seconds to wait.
    """
    now = timezone.now()
    with transaction.atomic():
        Attempts.objects.filter(at__lt=now - _FORGOTTEN_AFTER).delete()
        rows = []
        for one in sorted(counted, key=lambda one: one.key):  # one order for everybody's locks
            Attempts.objects.get_or_create(key=one.key, defaults={"at": now, "free_at": now})
            rows.append((one, Attempts.objects.select_for_update().get(key=one.key)))
        wait = max((row.free_at - now).total_seconds() for _, row in rows)
        if wait > 0:
            return ceil(wait)
        for one, row in rows:
            row.failures += 1
            row.at, row.free_at = now, now + _wait(one.rule, row.failures)
            row.save()
    return 0


def succeeded(counted: list[Counted], *, forgiven: Rule) -> None:
    """Take an attempt back; of one rule, all failures before it, too."""
    now = timezone.now()
    for one in counted:
        rows = Attempts.objects.filter(key=one.key)
        if one.rule == forgiven:
            rows.delete()
        else:
            rows.filter(failures__gt=0).update(failures=models.F("failures") - 1, free_at=now)


def _wait(rule: Rule, failures: int) -> timedelta:
    over = failures - rule.free
    if over < 0:
        return timedelta()
    return timedelta(seconds=min(2 ** min(over, 20), rule.longest_seconds))
