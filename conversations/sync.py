"""Sync events: every tab and device of a person learns what changed, and refetches it.

They go through the channel layer of this process, and to the other workers over the line that wakes
them; both may lose them. The person's revision, raised in the same transaction as the change and
carried by every event, makes a loss visible.

Channels' own layer over Redis was tried and left: with Redis away no socket can be opened, and
sockets carry replies. A project that has such a layer keeps it; then nothing is passed on here.
"""

import asyncio
import logging
from collections import deque
from functools import partial
from typing import Any, Literal

from channels.layers import InMemoryChannelLayer, get_channel_layer
from django.db import connection, transaction

from conversations.models import Person
from streaming import workers
from streaming.detached import spawn
from streaming.seldom import Seldom
from streaming.waking.waking import take_notices
from streaming.workers import LocalWorker

logger = logging.getLogger(__name__)

_TOPIC = "sync"
_AT_ONCE = 10  # messages in one notice: NOTIFY takes less than 8000 bytes
_MOST_WAITING = 1000  # what others say beyond is lost

Kind = Literal[
    "conversation.created",
    "conversation.updated",
    "conversation.deleted",
    "message.created",
    "message.updated",
    "message.deleted",
    "announcement",
    "models.updated",
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
    revision = _raise_revision(user_id)
    events = [
        {"type": kind, "revision": revision, **{name: str(value) for name, value in ids.items()}}
        for kind, ids in changes
    ]
    if events:
        messages = [{"type": "sync.event", "event": event} for event in events]
        transaction.on_commit(partial(tell, user_id, messages))


def tell(user_id: Any, messages: list[dict[str, Any]]) -> None:
    """Send messages of the channel layer to a person's sockets, from any thread."""
    worker = workers.peek()
    if worker is not None:  # a management command has no sockets, and no loop
        worker.run_soon(partial(_tell, worker, group(user_id), messages))


def connect() -> None:
    """Take what other workers pass on."""
    take_notices(_TOPIC, _take)


def _tell(worker: LocalWorker, name: str, messages: list[dict[str, Any]]) -> None:
    _outbox.put(name, messages)
    if isinstance(get_channel_layer(), InMemoryChannelLayer):
        for at in range(0, len(messages), _AT_ONCE):
            worker.tell_others(_TOPIC, [name, messages[at : at + _AT_ONCE]])


def _take(about: Any) -> None:
    """Take what another worker says, and nothing else that may stand on the line.

    Whoever may connect to the database, or to Redis, can write there; sockets do what a message of
    their layer says.
    """
    match about:
        case [str(name), list(messages)] if name.startswith(group("")):
            if len(_outbox) < _MOST_WAITING:
                _outbox.put(name, [one for one in messages[:_AT_ONCE] if _is_ours(one)])


def _is_ours(message: Any) -> bool:
    match message:
        case {"type": "session.check"}:
            return len(message) == 1
        case {"type": "sync.event", "event": {"type": str()}}:
            return len(message) == 2
    return False


def _raise_revision(user_id: Any) -> int | None:
    table = connection.ops.quote_name(Person._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET revision = revision + 1 WHERE user_id = %s RETURNING revision",
            (Person._meta.pk.get_db_prep_value(user_id, connection),),
        )
        row = cursor.fetchone()
    return None if row is None else row[0]


class _Outbox:
    """Sends in one task whatever is to be sent, in order."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[str, dict[str, Any]]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._lost = Seldom()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, name: str, messages: list[dict[str, Any]]) -> None:
        self._waiting.extend((name, message) for message in messages)
        if self._task is None or self._task.done():
            self._task = spawn(self._send(), name="sync events")

    async def _send(self) -> None:
        layer = get_channel_layer()
        while self._waiting:
            name, message = self._waiting.popleft()
            if layer is not None:
                try:
                    await layer.group_send(name, message)
                except Exception as error:  # any layer's; the revision makes it good
                    if self._lost.is_due():
                        logger.warning("A sync event was lost: %s", type(error).__name__)


_outbox = _Outbox()
