"""Whether a session still holds is asked again wherever a person has something open.

At once, when they sign in or out, and when their user changes: a new password, however it was set,
a closed account, a deleted one. Sockets read their session again; streams over HTTP are closed as
planned, so that their readers come back, and are let in or not.
"""

import asyncio
from functools import partial
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.db import transaction
from django.db.models.signals import post_delete, post_save

from conversations import sync
from streaming import workers

_SOON_SECONDS = 1.0  # the signal of a sign-out comes before the session has ended


def connect() -> None:
    """Listen to what may end a session."""
    for signed in (user_logged_in, user_logged_out):
        signed.connect(_signed)
    for changed in (post_save, post_delete):
        changed.connect(_changed, sender=get_user_model())


def _signed(sender: Any, *, user: Any = None, **rest: Any) -> None:
    if user is not None:
        recheck(user.pk)


def _changed(sender: Any, *, instance: Any, **rest: Any) -> None:
    transaction.on_commit(partial(recheck, instance.pk))


def recheck(user_id: Any) -> None:
    """Have everything that a person holds open in this process asked for its session again."""
    sync.tell(user_id, [{"type": "session.check"}])
    worker = workers.peek()
    if worker is not None:
        worker.run_soon(partial(_close_streams_soon, str(user_id)))


def _close_streams_soon(reader_key: str) -> None:
    asyncio.get_running_loop().call_later(_SOON_SECONDS, _close_streams, reader_key)


def _close_streams(reader_key: str) -> None:
    worker = workers.peek()
    if worker is None:
        return
    for subscription in list(worker.subscriptions):
        if subscription.reader_key == reader_key:
            subscription.plan_close()
