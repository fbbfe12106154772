"""Whether a person may start a reply now: the limits, in their order."""

from typing import Any, NamedTuple
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from conversations.exceptions import (
    Draining,
    InvalidField,
    TokenBudget,
    TooManyRequests,
    TooManyRuns,
)
from conversations.limits import spending
from conversations.models import Person
from conversations.requests import Edit, Send, Start
from streaming import metrics
from streaming.conf import conf
from streaming.connections import exceeds_share

_MINUTE = 60.0


class Starter(NamedTuple):
    """Who starts, and the worker that would produce."""

    user_id: Any
    worker_id: UUID
    worker_runs: int
    draining: bool
    address_wait: int = 0
    """For how many seconds the address has to wait that it is asked from."""


def check_length(start: Start) -> None:
    """Refuse a question that is too long.

    Raises:
        InvalidField
    """
    most = conf().message_characters
    if most and isinstance(start, Send | Edit) and len(start.content) > most:
        _note("message_characters")
        reason = gettext("is longer than %(max_length)s characters") % {"max_length": most}
        raise InvalidField(f"content: {reason}", field="content")


def check(starter: Starter, person: Person, live: int) -> None:
    """Refuse a start that a limit stands against, or count it.

    Args:
        person: their locked row, which keeps when they started.
        live: their replies in flight.
    Raises:
        Draining, TooManyRuns, TokenBudget, TooManyRequests
    """
    limits = conf()
    most = limits.runs_per_worker
    if starter.draining:
        raise Draining
    if most and starter.worker_runs >= most:
        _note("runs_per_worker")
        raise TooManyRuns(_("The server is busy; try again in a moment."))
    if limits.runs_per_user and live >= limits.runs_per_user:
        _note("runs_per_user")
        raise TooManyRuns
    if exceeds_share(live, most, starter.worker_runs):
        _note("runs_per_user")
        raise TooManyRuns
    if limits.tokens_per_day and spending.spent_today(starter.user_id) >= limits.tokens_per_day:
        _note("tokens_per_day")
        raise TokenBudget(retry_after_seconds=spending.seconds_to_midnight())
    if limits.starts_per_minute:
        _check_rate(person, limits.starts_per_minute)
    if starter.address_wait:
        _note("starts_per_minute_per_address")
        raise TooManyRequests(
            _("Too many requests come from your network; try again in a moment."),
            retry_after_seconds=starter.address_wait,
        )


def _check_rate(person: Person, most: int) -> None:
    now = timezone.now().timestamp()
    recent = [at for at in person.starts if now - _MINUTE < at <= now][-most:]
    if len(recent) == most:
        _note("starts_per_minute")
        raise TooManyRequests(retry_after_seconds=max(1, round(recent[0] + _MINUTE - now)))
    person.starts = [*recent, now]
    person.save(update_fields=["starts"])


def _note(limit: str) -> None:
    metrics.limits_hit.labels(limit).inc()
