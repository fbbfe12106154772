"""Whether a session still holds is asked again wherever a person has something open.

At once, when they sign in or out, when a key of theirs is revoked, and when their user changes: a
new password, however it was set, a closed account, a deleted one. Sockets read their session again;
streams over HTTP are closed as planned, so that their readers come back, and are let in or not. The
other processes learn it from a row, which each of them looks for.
"""

import asyncio
import time
from datetime import timedelta
from functools import partial
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.db import transaction
from django.db.models.functions import Now
from django.db.models.signals import post_delete, post_save

from conversations import sync
from conversations.models import Recheck
from streaming import threads, workers
from streaming.detached import repeat

_SOON_SECONDS = 1.0  # the signal of a sign-out comes before the session has ended
_LOOK_SECONDS = 1.5
_FRESH = timedelta(seconds=20)  # longer than a transaction takes: its rows are as old as its begin
_KEPT = timedelta(minutes=10)
_done_here: set[int] = set()
"""Rows that need no second look in this process."""


def connect() -> None:
    """Listen to what may end a session."""
    user_logged_in.connect(_signed_in)
    user_logged_out.connect(_signed_out)
    for changed in (post_save, post_delete):
        changed.connect(_changed, sender=get_user_model())


def _signed_in(sender: Any, *, user: Any, **rest: Any) -> None:
    recheck(user.pk)


def _signed_out(sender: Any, *, user: Any = None, **rest: Any) -> None:
    if user is not None:
        recheck(user.pk, seconds=_SOON_SECONDS)  # the session has not ended yet


def _changed(
    sender: Any, *, instance: Any, created: bool = False, update_fields: Any = None, **rest: Any
) -> None:
    if created or (update_fields and set(update_fields) == {"last_login"}):
        return
    transaction.on_commit(partial(recheck, instance.pk))


def recheck(user_id: Any, *, seconds: float = 0.0) -> None:
    """Have everything that a person holds open, in any process, asked for its session again.

    Args:
        seconds: what is opened so soon after this was opened too early, too.
    """
    Recheck.objects.filter(at__lt=Now() - _KEPT).delete()
    until = Now() + timedelta(seconds=seconds)
    _done_here.add(Recheck.objects.create(user_key=str(user_id), at=until).pk)
    _recheck_here(user_id, seconds)


def _recheck_here(user_id: Any, seconds: float = 0.0) -> None:
    sync.tell(user_id, [{"type": "session.check"}])
    worker = workers.peek()
    if worker is not None:
        before = time.monotonic() + seconds
        worker.run_soon(partial(_close_streams_soon, str(user_id), before))


def _close_streams_soon(reader_key: str, before: float) -> None:
    asyncio.get_running_loop().call_later(_SOON_SECONDS, _close_streams, reader_key, before)


def _close_streams(reader_key: str, before: float) -> None:
    worker = workers.peek()
    if worker is None:
        return
    for subscription in list(worker.subscriptions):
        if subscription.reader_key == reader_key and subscription.begun_at <= before:
            subscription.plan_close()


class _Watch:
    """Looks for the rechecks of other processes, while anything is open here."""

    def __init__(self) -> None:
        self._known: set[int] = set()

    async def look(self) -> None:
        worker = workers.peek()
        if worker is None or not (worker.sockets or worker.subscriptions):
            return
        found = await threads.read(_fresh)
        for number, (user_key, seconds) in found.items():
            if number not in self._known | _done_here:
                _recheck_here(user_key, seconds)
        self._known = set(found)
        _done_here.intersection_update(found)


def _fresh() -> dict[int, tuple[str, float]]:
    """Find recent rows; with each, by how much the moment it speaks of is later than now."""
    rows = Recheck.objects.filter(at__gte=Now() - _FRESH).annotate(now=Now())
    return {row.pk: (row.user_key, (row.at - row.now).total_seconds()) for row in rows}


async def watch() -> None:
    """Look for rechecks until it is cancelled; for `streaming.asgi.wrap`."""
    await repeat(_Watch().look, every_seconds=_LOOK_SECONDS, name="watch sessions")
