"""Sync events: every tab and device of a person learns what changed, and refetches it.

They go through the channel layer, which may lose them. The person's revision, raised in the same
transaction as the change and carried by every event, makes a loss visible.
"""

from functools import partial
from typing import Any, Literal

from channels.layers import get_channel_layer
from django.db import transaction
from django.db.models import F

from conversations.models import Person
from streaming import workers
from streaming.detached import spawn

Kind = Literal[
    "conversation.created",
    "conversation.updated",
    "conversation.deleted",
    "message.created",
    "message.updated",
    "message.deleted",
    "announcement",
    "run.started",
    "run.ended",
]


def group(user_id: Any) -> str:
    """Name the channel group of a person's sockets."""
    return f"person.{user_id}"


def announce(user_id: Any, *changes: tuple[Kind, dict[str, Any]]) -> None:
    """Raise the person's revision and, once the caller's transaction commits, tell their sockets.

    Args:
        changes: kind and ids of what changed; none raises the revision only.
    """
    Person.objects.filter(user_id=user_id).update(revision=F("revision") + 1)
    revision = Person.objects.filter(user_id=user_id).values_list("revision", flat=True).first()
    for kind, ids in changes:
        written = {name: str(value) for name, value in ids.items()}
        event = {"type": kind, "revision": revision, **written}
        transaction.on_commit(partial(_tell, group(user_id), event))


def _tell(name: str, event: dict[str, Any]) -> None:
    worker = workers.peek()
    if worker is not None:  # a management command has no sockets, and no loop
        worker.run_soon(partial(_send, name, event))


def _send(name: str, event: dict[str, Any]) -> None:
    layer = get_channel_layer()
    if layer is not None:
        spawn(layer.group_send(name, {"type": "sync.event", "event": event}), name="sync event")
