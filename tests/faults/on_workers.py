"""What befalls the workers and the proxy before them."""

import asyncio
import random

from tests.faults.fault import COMPLETED, SHUTDOWN, WORKER_LOST, Fault
from tests.faults.scene import Scene
from tests.faults.world import LEASE_SECONDS

_GOES_ON = "lost its worker and goes on here"


async def kill(scene: Scene, rng: random.Random) -> None:
    """`kill -9`; the other takes over, and a supervisor starts it again."""
    worker = rng.choice(scene.world.workers)
    worker.kill()
    scene.over()
    await asyncio.sleep(rng.uniform(0.0, 1.0))
    await worker.restart()


async def term(scene: Scene, rng: random.Random) -> None:
    """A deployment: SIGTERM, the drain, a new process."""
    worker = rng.choice(scene.world.workers)
    worker.term()
    scene.over()
    await worker.exited()
    await worker.restart()


async def pause(scene: Scene, rng: random.Random) -> None:
    """SIGSTOP for longer than the lease: the others declare it dead, then it comes back."""
    worker = rng.choice(scene.world.workers)
    worker.pause()
    try:
        await asyncio.sleep(LEASE_SECONDS + rng.uniform(1.0, 3.0))
    finally:
        worker.resume()


async def proxy(scene: Scene, rng: random.Random) -> None:
    """Every connection of every reader is gone at once."""
    front = scene.world.front
    front.kill() if rng.random() < 0.5 else await front.terminate()
    await asyncio.sleep(rng.uniform(0.0, 0.5))
    await front.restart()


FAULTS = [
    Fault(name="worker killed", strike=kill, ends=(COMPLETED, WORKER_LOST)),
    Fault(name="worker SIGTERM", strike=term, ends=(COMPLETED, SHUTDOWN)),
    Fault(name="worker paused", strike=pause, ends=(COMPLETED, WORKER_LOST), sign="declared dead"),
    Fault(name="killed, continued", world="continuing", strike=kill, sign=_GOES_ON),
    Fault(name="SIGTERM, continued", world="continuing", strike=term, sign=_GOES_ON),
    Fault(name="paused, continued", world="continuing", strike=pause, sign=_GOES_ON),
    Fault(name="proxy restarted", strike=proxy),
]
