"""What a fault is: where it is thrown, how, and what may become of a reply."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.integration.scripts import talk

if TYPE_CHECKING:
    from tests.faults.scene import Scene

Script = dict[str, Any]
End = tuple[str, str]

COMPLETED: End = ("completed", "stop")
WORKER_LOST: End = ("interrupted", "worker_lost")
STOPPED: End = ("stopped", "user")
SHUTDOWN: End = ("interrupted", "shutdown")


def spoken(rng: random.Random) -> Script:
    """A reply of two to four seconds, no two pieces of it alike."""
    return finished(talk(rng, rng.randint(100, 200), 20)[:-1])


def finished(steps: list[dict[str, Any]]) -> Script:
    """Let an upstream say these steps and finish as it should."""
    return {"steps": [*steps, {"finish": "stop"}, {"usage": [3, 5]}, {"done": True}]}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault, by name."""

    name: str
    world: str = "postgresql"
    """Which processes it is thrown at, see `worlds.py`."""
    strike: Callable[["Scene", random.Random], Awaitable[None]] | None = None
    """Throws it at the processes, once in a scene; returns when it is over, unless the scene was
    told before. None where each reply of a scene has a fault of its own."""
    script: Callable[[random.Random], Script] = spoken
    """What the upstream says in one reply."""
    act: str = ""
    """How the first reader of each reply leaves before it comes back."""
    ends: tuple[End, ...] = (COMPLETED,)
    """What a reply may come to."""
    replies: int = 4
    """Replies of a scene; where each has a fault of its own, at most so many at a time."""
    crowd: int = 0
    """Readers of a scene beside two for each reply."""
    patience_seconds: float = 0.0
    """How much longer than others its replies may take to end."""
    sign: str = ""
    """What a worker's log says where it felt the fault; told below the table."""
    note: str = ""
