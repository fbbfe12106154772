"""What befalls the database, the disk and Redis."""

import asyncio
import contextlib
import random
import subprocess
from typing import cast

import psycopg

from tests.faults.fault import Fault
from tests.faults.scene import Scene
from tests.faults.worlds import BehindLine, OnPostgreSQL, OnSmallDisk, WithRedis

_TAKES_NO_TEXT = "Storage does not take text"
_UNSURE = "was written though nobody said so"
_POLLS = "do not wake each other"
_LONG_SECONDS = 20.0
_LONG_ONE_IN = 5
_CUT = """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


async def restart(scene: Scene, rng: random.Random) -> None:
    """Stop the server in one of three ways and start it at once."""
    cluster = cast(OnPostgreSQL, scene.world).cluster
    await asyncio.to_thread(cluster.stop, rng.choice(["fast", "immediate"]))
    await asyncio.to_thread(cluster.run)


async def away(scene: Scene, rng: random.Random) -> None:
    """Stop the server for a while: 20 s in one of five scenes, else two to six."""
    cluster = cast(OnPostgreSQL, scene.world).cluster
    seconds = _LONG_SECONDS if rng.randrange(_LONG_ONE_IN) == 0 else rng.uniform(2.0, 6.0)
    scene.note("20 s" if seconds == _LONG_SECONDS else "2 to 6 s")
    await asyncio.to_thread(cluster.stop, rng.choice(["fast", "immediate"]))
    await asyncio.sleep(seconds)
    await asyncio.to_thread(cluster.run)


async def cut(scene: Scene, rng: random.Random) -> None:
    """End all connections to the server, up to three times in a row."""
    for _ in range(rng.randint(1, 3)):
        connection = await psycopg.AsyncConnection.connect(scene.world.database, autocommit=True)
        async with connection:
            await connection.execute(_CUT)
        await asyncio.sleep(rng.uniform(0.0, 0.2))


async def lose_answers(scene: Scene, rng: random.Random) -> None:
    """End connections right behind commits and other requests, for up to three seconds."""
    line = cast(BehindLine, scene.world).line
    before = line.lost_commits
    line.rng = rng
    try:
        await asyncio.sleep(rng.uniform(1.0, 3.0))
    finally:
        line.rng = None
    if line.lost_commits > before:
        scene.note("commits were made and not answered")


async def disk_full(scene: Scene, rng: random.Random) -> None:
    """Leave the database no room for some seconds."""
    world = cast(OnSmallDisk, scene.world)
    try:
        await asyncio.to_thread(world.fill)
        until = asyncio.get_running_loop().time() + rng.uniform(1.0, 5.0)
        while asyncio.get_running_loop().time() < until:
            await asyncio.to_thread(world.fill)  # what a checkpoint gave back
            await asyncio.sleep(0.05)
    finally:
        world.ballast.unlink(missing_ok=True)


async def redis_restarted(scene: Scene, rng: random.Random) -> None:
    """Kill Redis and start an empty one."""
    world = cast(WithRedis, scene.world)
    await asyncio.to_thread(world.stop_redis)
    await asyncio.sleep(rng.uniform(0.0, 2.0))
    world.start_redis()


async def redis_flushed(scene: Scene, rng: random.Random) -> None:
    """Empty Redis under the workers, up to three times."""
    port = str(cast(WithRedis, scene.world).redis_port)
    for _ in range(rng.randint(1, 3)):
        command = ["redis-cli", "-p", port, "FLUSHALL"]
        with contextlib.suppress(OSError):
            await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)
        await asyncio.sleep(rng.uniform(0.0, 0.2))


FAULTS = [
    Fault(name="PostgreSQL restarted", strike=restart, sign=_TAKES_NO_TEXT),
    Fault(name="PostgreSQL away", strike=away, sign=_TAKES_NO_TEXT),
    Fault(name="connections cut", strike=cut, sign=_TAKES_NO_TEXT),
    Fault(name="answers lost", world="lossy line", strike=lose_answers, sign=_UNSURE),
    Fault(name="disk full", world="small disk", strike=disk_full, sign=_TAKES_NO_TEXT),
    Fault(name="Redis restarted", world="redis", strike=redis_restarted, sign=_POLLS),
    Fault(name="Redis flushed", world="redis", strike=redis_flushed),
]
