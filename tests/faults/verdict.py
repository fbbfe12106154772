"""What was seen in scenes of one fault, as numbers."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Verdict:
    """Everything but `lost` to `errors` is only told; these must be zero."""

    injected: int = 0
    readers: Counter[str] = field(default_factory=Counter)
    """By transport."""
    connections: int = 0
    replies: int = 0
    looks: int = 0
    """How often what a reader had was held against what was stored, while replies were live."""
    lost: int = 0
    """Characters that somebody saw or the source said, and that are not where they belong."""
    doubled: int = 0
    endless: int = 0
    other: list[str] = field(default_factory=list)
    """Anything else that the protocol does not allow."""
    errors: list[str] = field(default_factory=list)
    silences: list[float] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def add(self, other: "Verdict") -> None:
        """Take another's numbers in."""
        for name, value in vars(other).items():
            mine = getattr(self, name)
            if isinstance(mine, Counter):
                mine.update(value)
            else:
                setattr(self, name, mine + value)

    @property
    def is_clean(self) -> bool:
        """Whether all is zero that must be."""
        return not (self.lost or self.doubled or self.endless or self.other or self.errors)

    def story(self) -> str:
        """Tell what was wrong."""
        counted = f"lost {self.lost}, doubled {self.doubled}, endless {self.endless}"
        return "\n".join([counted, *self.other, *self.errors])

    def hold(self, shown: str, stored: str, *, whole: bool) -> None:
        """Count what differs between a text and the one that it should be.

        Args:
            whole: whether it should be all of it; else a prefix is right.
        """
        if shown == stored or (not whole and stored.startswith(shown)):
            return
        missing, extra = difference(shown, stored if whole else stored[: len(shown)])
        self.lost += missing
        repeated = bool(extra) and extra in stored
        if repeated:
            self.doubled += len(extra)
        else:
            self.lost += len(extra)


def difference(shown: str, stored: str) -> tuple[int, str]:
    """Return how many characters are missing from a text, and what stands in their place."""
    shorter = min(len(shown), len(stored))
    head = 0
    while head < shorter and shown[head] == stored[head]:
        head += 1
    tail = 0
    while tail < shorter - head and shown[-1 - tail] == stored[-1 - tail]:
        tail += 1
    return len(stored) - head - tail, shown[head : len(shown) - tail]
