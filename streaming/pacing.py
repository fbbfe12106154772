"""When sources read their upstreams: where much is produced, all of them right before each commit.

A piece of text waits for the next commit anyway. So a source that has read a piece lets the next
ones wait where they are, in its socket, until the journal's next turn: then all of them are read
together, which costs a process much less than to be woken by each, and they arrive just in time.
"""

import contextvars
import time
from collections.abc import Callable

_LONGEST_REST_SECONDS = 0.25

_pace: contextvars.ContextVar["Pace | None"] = contextvars.ContextVar("pace", default=None)


class Pace:
    """Holds what rests until the next turn.

    Args:
        on_rest: called when something rests and nothing did: a turn is wanted.
    """

    def __init__(self, on_rest: Callable[[], None]) -> None:
        self._on_rest = on_rest
        self._resting: list[Callable[[], None]] = []
        self._turned_at = 0.0

    @property
    def wanted(self) -> bool:
        """Whether anything rests."""
        return bool(self._resting)

    def rest(self, go_on: Callable[[], None]) -> None:
        """Have this called at the next turn: within half a second, whatever storage does.

        Args:
            go_on: must not raise, and must be harmless where there is nothing to go on with.
        """
        if not self._resting:
            self._on_rest()
        self._resting.append(go_on)

    def turn(self) -> None:
        """Let everything that rests go on."""
        self._turned_at = time.monotonic()
        resting, self._resting = self._resting, []
        for go_on in resting:
            go_on()

    def turn_if_due(self) -> None:
        """Do so where there was no turn for long: a commit hangs."""
        if time.monotonic() - self._turned_at > _LONGEST_REST_SECONDS:
            self.turn()


def begin(pace: Pace) -> None:
    """Pace the sources that are read in this context."""
    _pace.set(pace)


def current() -> Pace | None:
    """Return what paces the source that asks; None where it is read for no run."""
    return _pace.get()
