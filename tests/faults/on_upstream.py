"""What an upstream does that it should not."""

import asyncio
import random
from typing import Any

from tests.faults.fault import COMPLETED, End, Fault, Script, finished
from tests.faults.scene import Scene
from tests.integration.scripts import talk

NO_PROGRESS: End = ("failed", "no_progress")
RESET: End = ("failed", "upstream_reset")
INCOMPLETE: End = ("failed", "upstream_incomplete")
BAD_DATA: End = ("failed", "upstream_bad_data")
UNREACHABLE: End = ("failed", "upstream_unreachable")
_GARBAGE = (
    "data: {never JSON\n\n",
    "data: [1, 2\n\n",
    'data: {"choices": "none"}\n\n',
    "data: \x00\x01\x02\n\n",
)
_BURST_BYTES = 1_000_000


def _talk(rng: random.Random) -> list[dict[str, Any]]:
    return talk(rng, rng.randint(5, 60), 20)[:-1]


def stalls_first(rng: random.Random) -> Script:
    """Take the request and say nothing."""
    return {"steps": [{"stall": True}]}


def stalls(rng: random.Random) -> Script:
    """Say something and nothing more."""
    return {"steps": [*_talk(rng), {"stall": True}]}


def resets(rng: random.Random) -> Script:
    """Break the connection in the middle."""
    return {"steps": [*_talk(rng), {"reset": True}]}


def ends_early(rng: random.Random) -> Script:
    """End the body as if all had been said."""
    return {"steps": _talk(rng), "framing": rng.choice(["chunked", "close", "length"])}


def garbage(rng: random.Random) -> Script:
    """Say what is no event of a stream."""
    return {"steps": [*_talk(rng), {"send": rng.choice(_GARBAGE)}, *_talk(rng), {"done": True}]}


def status(number: int) -> Script:
    """Answer with a status in place of a stream."""
    return {"status": number, "steps": [{"send": "no"}]}


def drips(rng: random.Random) -> Script:
    """Send a byte a second."""
    return finished(talk(rng, 3, 0)[:-1]) | {"split": 1, "split_pause_ms": 1000}


def burst(rng: random.Random) -> Script:
    """Send 1 MB in one chunk: in one event, or in thousands."""
    if rng.random() < 0.5:
        return finished([*_talk(rng), {"text": "tide", "grow": _BURST_BYTES // 4}])
    text = "one wave after the other, and none of them waits for us "
    event = 100 + len(text)
    return finished([*_talk(rng), {"text": text, "together": _BURST_BYTES // event}])


async def refuse(scene: Scene, rng: random.Random) -> None:
    """Nobody listens, and all connections break."""
    upstream = scene.world.upstream
    await upstream.__aexit__()
    scene.over()
    await asyncio.sleep(rng.uniform(0.3, 2.0))
    await upstream.__aenter__()


FAULTS = [
    Fault(
        name="upstream refuses",
        strike=refuse,
        ends=(COMPLETED, UNREACHABLE, RESET, INCOMPLETE),
        note="the replies in flight break off, a new one is refused",
    ),
    Fault(name="upstream stalls first", script=stalls_first, ends=(NO_PROGRESS,), replies=10),
    Fault(name="upstream stalls", script=stalls, ends=(NO_PROGRESS,), replies=10),
    Fault(name="upstream resets", script=resets, ends=(RESET,), replies=10),
    Fault(name="upstream ends early", script=ends_early, ends=(INCOMPLETE,), replies=10),
    Fault(name="upstream sends garbage", script=garbage, ends=(BAD_DATA,), replies=10),
    Fault(
        name="upstream 429",
        script=lambda rng: status(429),
        ends=(("failed", "upstream_rate_limited"),),
        replies=10,
    ),
    Fault(
        name="upstream 500",
        script=lambda rng: status(500),
        ends=(("failed", "upstream_error"),),
        replies=10,
    ),
    Fault(name="upstream drips", script=drips, ends=(NO_PROGRESS,), replies=10),
    Fault(
        name="upstream bursts",
        script=burst,
        ends=(COMPLETED, ("completed", "length")),
        replies=10,
    ),
]
