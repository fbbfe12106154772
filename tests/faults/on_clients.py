"""What clients do."""

import asyncio
import random

from tests.faults.fault import Fault, Script, finished
from tests.faults.scene import Scene
from tests.integration.scripts import flood, talk

STORM = 500


def long(rng: random.Random) -> Script:
    """A reply that outlasts a storm."""
    return finished(talk(rng, rng.randint(300, 400), 20)[:-1])


def much(rng: random.Random) -> Script:
    """More text than the buffers on the way hold."""
    return finished(flood(rng, rng.randint(150, 300))[:-1])


async def storm(scene: Scene, rng: random.Random) -> None:
    """All readers lose their connections at once, and come back at once."""
    for page in scene.pages:
        if page.segments and not page.ended:
            page.segments[-1].rst()
    await asyncio.sleep(0)


FAULTS = [
    Fault(name="client FIN", act="FIN", replies=10),
    Fault(name="client RST", act="RST", replies=10),
    Fault(name="client half-close", act="half-close", replies=10),
    Fault(name="client stops reading", act="stop reading", script=much, replies=5),
    Fault(
        name="storm of 500",
        strike=storm,
        script=long,
        replies=5,
        crowd=STORM - 10,
        patience_seconds=30.0,
    ),
]
