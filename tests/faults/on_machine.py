"""What befalls the machines that the workers run on."""

import asyncio
import random
from typing import cast

from tests.faults.fault import COMPLETED, WORKER_LOST, Fault
from tests.faults.namespaces import OwnNamespaces
from tests.faults.scene import Scene
from tests.faults.worlds import OtherClocks

_OFFSETS = ("+3600", "-3600", "+0")
_SEEN_SECONDS = 1.2  # libfaketime looks at its file once a second
_LONG_SECONDS = 30.0
_LONG_ONE_IN = 5


async def clock(scene: Scene, rng: random.Random) -> None:
    """Move the clock of one worker, or of both, by an hour or two."""
    world = cast(OtherClocks, scene.world)
    for number in rng.choice([(1,), (2,), (1, 2)]):
        path = world.clock(number)
        path.write_text(rng.choice([offset for offset in _OFFSETS if offset != path.read_text()]))
    await asyncio.sleep(_SEEN_SECONDS)


async def partition(scene: Scene, rng: random.Random) -> None:
    """Let one worker not reach the database: 30 s in one of five scenes, else six to twelve."""
    world = cast(OwnNamespaces, scene.world)
    number = rng.choice((1, 2))
    seconds = _LONG_SECONDS if rng.randrange(_LONG_ONE_IN) == 0 else rng.uniform(6.0, 12.0)
    scene.note("30 s" if seconds == _LONG_SECONDS else "6 to 12 s")
    world.cut(number)
    try:
        await asyncio.sleep(seconds)
    finally:
        world.cut(number, again=True)


FAULTS = [
    Fault(name="clock moved", world="clocks", strike=clock),
    Fault(
        name="one host cut off",
        world="namespaces",
        strike=partition,
        ends=(COMPLETED, WORKER_LOST),
        sign="declared dead",
        note="clocks an hour apart, other host names, nothing shared but the database",
    ),
]
