"""What all open pages are told at once: announcements, and that the models changed.

One task per process, while sockets are open here, looks every second at the revisions of what
operators change: one small statement, however many sockets there are.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from django.db import DatabaseError, InterfaceError
from django.db.models import Q
from django.utils import timezone

from conversations.operating import Announcement, Revision
from streaming import threads, workers
from streaming.detached import spawn

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0

Listener = Callable[[dict[str, Any]], None]


def current() -> list[dict[str, Any]]:
    """Read the announcements of this moment."""
    now = timezone.now()
    return [_shape(row) for row in _pending() if _is_current(row, now)]


def _pending() -> list[Announcement]:
    """Read those that are, and those that are yet to come."""
    open_ended = Q(ends_at__isnull=True) | Q(ends_at__gt=timezone.now())
    return list(Announcement.objects.filter(open_ended))


def _is_current(row: Announcement, now: Any) -> bool:
    return row.starts_at <= now and (row.ends_at is None or row.ends_at > now)


def _shape(row: Announcement) -> dict[str, Any]:
    return {"id": row.pk, "text": row.text, "level": row.level}


class Watch:
    """Tells the listeners of this process."""

    def __init__(self) -> None:
        self._listeners: set[Listener] = set()
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._revisions: dict[str, int] | None = None
        self._pending: list[Announcement] = []
        self._told: list[dict[str, Any]] = []

    def join(self, listener: Listener) -> None:
        """Tell a listener what is announced now, if there is anything, and then what changes."""
        self._listeners.add(listener)
        if self._task is None or self._task.done():
            self._revisions, self._told = None, []  # what was told last may be over
            self._task = spawn(self._look_while_heard(), name="notices")
        elif self._told:
            listener(_event("announcement", announcements=self._told))

    def leave(self, listener: Listener) -> None:
        """Tell it no more; harmless when repeated."""
        self._listeners.discard(listener)

    def look_soon(self) -> None:
        """Look before the second is over."""
        self._news.set()

    async def _look_while_heard(self) -> None:
        while self._listeners:
            self._news.clear()
            try:
                await self._look()
            except (DatabaseError, InterfaceError) as error:
                logger.warning("Notices wait for storage: %s", type(error).__name__)
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._news.wait()
            except TimeoutError:
                pass

    async def _look(self) -> None:
        found = await threads.read(_revisions)
        before = self._revisions
        if before is None or before.get("announcements") != found.get("announcements"):
            self._pending = await threads.read(_pending)
        if before is not None and before.get("models") != found.get("models"):
            self._tell(_event("models.updated"))
        self._revisions = found
        now = timezone.now()
        announced = [_shape(row) for row in self._pending if _is_current(row, now)]
        if announced != self._told:
            self._told = announced
            self._tell(_event("announcement", announcements=announced))

    def _tell(self, event: dict[str, Any]) -> None:
        for listener in list(self._listeners):
            listener(event)


def _revisions() -> dict[str, int]:
    return dict(Revision.objects.values_list("topic", "number"))


def _event(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, **more}


_watches: dict[asyncio.AbstractEventLoop, Watch] = {}


def watch() -> Watch:
    """Return the watch of this process; call it on the event loop."""
    loop = asyncio.get_running_loop()
    for other in [one for one in _watches if one.is_closed()]:
        del _watches[other]
    return _watches.setdefault(loop, Watch())


def look_soon() -> None:
    """Let this process look at once, from any thread; the others do within a second."""
    worker = workers.peek()
    if worker is not None:
        worker.run_soon(_look_all)


def _look_all() -> None:
    for one in _watches.values():
        one.look_soon()
