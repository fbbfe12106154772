"""The watch over the other workers: death is counted, not clocked."""

import logging
import time
from uuid import UUID

from django.db import DatabaseError, InterfaceError

from streaming import lockfile, metrics, takeover, threads
from streaming.conf import conf
from streaming.takeover import Seen

logger = logging.getLogger(__name__)

POLLS_PER_LEASE = 6
_BEATS_PER_LEASE = 12
_MISSED = 3
"""After so many polls or beats of our own that did not come, the count starts again."""


class Watch:
    """Declares a worker dead after N successive polls that saw the same beat.

    A poll that failed, or a gap in our own polling or beating, starts the count again: we were
    paused, or storage takes no writes, and then nobody's beat moves. No clock of the wall decides,
    so neither an outage of the database, nor a full disk, nor a jump of the clock kills anybody. A
    worker of this host whose lock file is free is dead at once.
    """

    def __init__(self) -> None:
        self._counts: dict[Seen, int] = {}
        self._polled_at = 0.0
        self.beaten_at = 0.0
        """When our own beat was last written, by the monotonic clock."""

    @property
    def pause_seconds(self) -> float:
        """Time between two polls."""
        return min(conf().lease_seconds / POLLS_PER_LEASE, 1.0)

    @property
    def beat_seconds(self) -> float:
        """Time between two beats of our own."""
        return conf().lease_seconds / _BEATS_PER_LEASE

    @property
    def sees_others(self) -> bool:
        """Whether the last poll saw another living worker."""
        return bool(self._counts)

    def knows(self, worker_id: UUID) -> bool:
        """Say whether the last poll saw this worker among the living others."""
        return any(seen.worker_id == worker_id for seen in self._counts)

    def silent_seconds(self, worker_id: UUID, beat: int) -> float | None:
        """Return for how long a worker has had this beat; None where no poll saw it yet."""
        count = self._counts.get(Seen(worker_id, beat))
        return None if count is None else (count - 1) * self.pause_seconds

    def lives(self, seen: Seen) -> bool:
        """Say whether another worker is likely to live: its beat moved not long ago.

        One that no poll saw yet may be gone for good, unless it holds its lock.
        """
        lock = lockfile.look(conf().run_directory, seen.worker_id)
        silent_seconds = self.silent_seconds(*seen)
        if silent_seconds is None:
            moved = self.knows(seen.worker_id)
            return lock != "dead" and (moved or lock == "alive")
        return lock != "dead" and silent_seconds < conf().lease_seconds / 2

    def note_beat(self) -> None:
        """Take note that our own beat was written."""
        self.beaten_at = time.monotonic()

    async def look(self, own_id: UUID) -> None:
        """Poll once.

        Raises:
            DatabaseError, InterfaceError: the poll failed.
        """
        now = time.monotonic()
        if self._was_away(now):
            self._counts.clear()
        self._polled_at = now
        try:
            seen_now = await threads.read(takeover.others, own_id)
        except (DatabaseError, InterfaceError):
            self._counts.clear()
            raise
        self._counts = {seen: self._counts.get(seen, 0) + 1 for seen in seen_now}
        for seen, count in self._counts.items():
            if self._is_dead(seen, count):
                await self._declare_dead(seen)

    def _was_away(self, now: float) -> bool:
        # Beats are further apart than polls where the lease is long.
        between_beats = max(self.pause_seconds, self.beat_seconds)
        return (
            now - self._polled_at > _MISSED * self.pause_seconds
            or now - self.beaten_at > _MISSED * between_beats
        )

    def _is_dead(self, seen: Seen, count: int) -> bool:
        match lockfile.look(conf().run_directory, seen.worker_id):
            case "dead":
                return True
            case _:
                return (count - 1) * self.pause_seconds >= conf().lease_seconds

    async def _declare_dead(self, seen: Seen) -> None:
        if await threads.write_beat(takeover.declare_dead, seen):
            metrics.takeovers.inc()
            logger.warning("Worker %s is dead; its runs are dealt with here", seen.worker_id)
            lockfile.remove(conf().run_directory, seen.worker_id)
