"""Who among the other workers reads runs of this one. Pure: times are given."""

from collections.abc import Callable, Collection, Iterable
from uuid import UUID

SECONDS = 2.0
"""Time between two times that a follower says what it follows."""

FORGOTTEN_SECONDS = 3 * SECONDS + 0.5

MOST_UNKNOWN = 1000
"""Runs that we do not produce, or not yet: so many are remembered."""


class Interest:
    """Which followers want to be told of which runs; forgotten unless they say so again."""

    def __init__(self) -> None:
        self._until: dict[UUID, dict[UUID, float]] = {}

    def __contains__(self, run_id: UUID) -> bool:
        return run_id in self._until

    def __len__(self) -> int:
        return len(self._until)

    def room(self, runs: Iterable[UUID], holds: Callable[[UUID], bool]) -> list[UUID]:
        """Keep of runs those that may be noted: whose ids somebody made up would never end."""
        left = MOST_UNKNOWN - sum(not holds(run) for run in self._until)
        kept = []
        for run in runs:
            if run not in self._until and not holds(run):
                if left <= 0:
                    continue
                left -= 1
            kept.append(run)
        return kept

    def note(self, follower: UUID, runs: Collection[UUID], now: float) -> list[UUID]:
        """Note what a worker follows.

        Returns:
            the runs that it did not follow yet.
        """
        new = [run for run in runs if follower not in self._until.get(run, ())]
        for run in runs:
            self._until.setdefault(run, {})[follower] = now + FORGOTTEN_SECONDS
        return new

    def followers(self, run_id: UUID, now: float) -> list[UUID]:
        """List who wants to be told of a run."""
        return [who for who, until in self._until.get(run_id, {}).items() if until > now]

    def forget_old(self, now: float) -> None:
        """Forget what was not said again in time."""
        for run, followers in list(self._until.items()):
            for who, until in list(followers.items()):
                if until <= now:
                    del followers[who]
            if not followers:
                del self._until[run]
