"""Who holds how many streams and sockets of this process open, and whether there is room for one.

Beside the two limits there is a share: nobody may hold more than is still free. So whoever opens
without end stops at half of all, two such people at a third each, and there is always room for
somebody who comes with the first. A few are never refused to anybody while there is room at all.
"""

from collections import Counter
from typing import Literal

from streaming import metrics
from streaming.conf import conf

A_FEW = 16
"""What anybody may hold while there is room: the tabs and devices of one person."""

LimitName = Literal["connections_per_user", "connections_per_worker"]


class NoRoom(Exception):
    """There is no room for another connection; `limit` says whose limit is reached."""

    def __init__(self, limit: LimitName) -> None:
        super().__init__(limit)
        self.limit = limit


class Place:
    """One connection's place among the others, from `take` to `leave`."""

    def __init__(self, taken: "Connections", owner_key: str) -> None:
        self._taken: Connections | None = taken
        self._owner_key = owner_key

    def leave(self) -> None:
        """Give the place back; harmless when repeated."""
        taken, self._taken = self._taken, None
        if taken is not None:
            taken.give_back(self._owner_key)


class Connections:
    """The open streams and sockets of one process, by who holds them."""

    def __init__(self) -> None:
        self._held: Counter[str] = Counter()
        self.total = 0

    def take(self, owner_key: str) -> Place:
        """Take a place.

        Args:
            owner_key: who holds it; empty counts for the process alone.
        Raises:
            NoRoom
        """
        limits, held = conf(), self._held[owner_key] if owner_key else 0
        most = limits.connections_per_worker
        if most and self.total >= most:
            raise _no_room("connections_per_worker")
        if limits.connections_per_user and held >= limits.connections_per_user:
            raise _no_room("connections_per_user")
        if exceeds_share(held, most, self.total):
            raise _no_room("connections_per_user")
        self.total += 1
        if owner_key:
            self._held[owner_key] += 1
        return Place(self, owner_key)

    def held_by(self, owner_key: str) -> int:
        """Return how many connections somebody holds."""
        return self._held.get(owner_key, 0)

    def give_back(self, owner_key: str) -> None:
        """Let a place go; `Place.leave` calls this."""
        self.total -= 1
        if owner_key:
            self._held[owner_key] -= 1
            if not self._held[owner_key]:
                del self._held[owner_key]


def exceeds_share(held: int, most: int, total: int) -> bool:
    """Say whether somebody who holds so many would take more than their part of what there is.

    Args:
        most: how many there are in all; 0 is no limit, and no share.
        total: how many are taken, by everybody.
    """
    return bool(most) and held >= max(A_FEW, most - total)


def _no_room(limit: LimitName) -> NoRoom:
    metrics.limits_hit.labels(limit).inc()
    return NoRoom(limit)
