"""Worlds by name: which database, and in which surroundings the workers live."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from tests.faults.clocks import wrong_clock
from tests.faults.line import LossyLine
from tests.faults.namespaces import OwnNamespaces
from tests.faults.world import OnPostgreSQL, World
from tests.integration.databases import SQLite
from tests.integration.servers import Server, free_port

_FULL_BYTES = 48 * 1024 * 1024


class Continuing(OnPostgreSQL):
    """Workers that go on with the replies of lost ones, and a model that goes on from its text."""

    model = "scripted"

    def new_worker(self, number: int, **options: Any) -> Server:
        """Make a worker that may continue."""
        env = {"CHAT_SCRIPTED": "1", "STREAMING_ON_WORKER_LOSS": "continue"}
        return super().new_worker(number, env=env, **options)


class WithRedis(OnPostgreSQL):
    """The same with a private Redis, which wakes readers and carries sync events."""

    def __init__(self) -> None:
        super().__init__()
        self.redis_port = free_port()
        self.redis: subprocess.Popen[bytes] | None = None

    def new_database(self) -> str:
        """Start Redis, too."""
        self.start_redis()
        return super().new_database()

    def new_worker(self, number: int, **options: Any) -> Server:
        """Make a worker that knows of Redis."""
        env = {"REDIS_URL": f"redis://127.0.0.1:{self.redis_port}/0"}
        return super().new_worker(number, env=env, **options)

    def start_redis(self) -> None:
        """Start a Redis that keeps nothing."""
        command = ["redis-server", "--port", str(self.redis_port), "--bind", "127.0.0.1"]
        command += ["--save", "", "--appendonly", "no", "--dir", str(self.directory)]
        self.redis = subprocess.Popen(command, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)

    def stop_redis(self) -> None:
        """End it with what it holds."""
        if self.redis is not None:
            self.redis.kill()
            self.redis.wait(10)

    def end(self) -> None:
        """End Redis and the cluster."""
        self.stop_redis()
        super().end()


class OnSmallDisk(World):
    """SQLite on a file system of its own that can be filled."""

    def new_database(self) -> str:
        """Mount it, and make a database there."""
        self.disk = self.directory / "disk"
        self.disk.mkdir()
        size = f"size={_FULL_BYTES}"
        subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(self.disk)], check=True)
        return SQLite(self.disk).new()

    @property
    def ballast(self) -> Path:
        """The file that fills the disk."""
        return self.disk / "ballast"

    def fill(self) -> None:
        """Leave not one page free."""
        with self.ballast.open("ab") as file:
            for size in (2**20, 2**12):
                try:
                    while os.write(file.fileno(), b"\0" * size) == size:
                        pass
                except OSError:
                    pass

    def end(self) -> None:
        """Unmount it."""
        if hasattr(self, "disk"):
            subprocess.run(["umount", "-l", str(self.disk)], check=False)


class BehindLine(OnPostgreSQL):
    """Workers that reach the database over a line that can lose answers."""

    def __init__(self) -> None:
        super().__init__()
        self.line = LossyLine()

    async def __aenter__(self) -> Self:
        await self.line.open()
        return await super().__aenter__()

    async def __aexit__(self, *exc_info: object) -> None:
        await super().__aexit__(*exc_info)
        await self.line.close()

    def new_database(self) -> str:
        """Lay the line to it."""
        database = super().new_database()
        self.line.target = self.cluster.port
        return database

    def new_worker(self, number: int, **options: Any) -> Server:
        """Make a worker at the other end."""
        made = super().new_worker(number, **options)
        made.database = made.database.replace(f":{self.line.target}/", f":{self.line.port}/")
        return made


class OtherClocks(OnPostgreSQL):
    """Workers whose clocks of the wall can be moved; nothing else in the world moves."""

    def new_worker(self, number: int, **options: Any) -> Server:
        """Make a worker that reads its clock through libfaketime."""
        self.clock(number).write_text("+0")
        return super().new_worker(number, env=wrong_clock(self.clock(number)), fresh=True)

    def clock(self, number: int) -> Path:
        """The file that says by how much a worker's clock is wrong."""
        return self.directory / f"clock-{number}"


WORLDS: dict[str, type[World]] = {
    "postgresql": OnPostgreSQL,
    "continuing": Continuing,
    "redis": WithRedis,
    "small disk": OnSmallDisk,
    "lossy line": BehindLine,
    "clocks": OtherClocks,
    "namespaces": OwnNamespaces,
}


def why_not(world: str) -> str:
    """Say why a world cannot be made here; empty where it can."""
    if world in ("small disk", "namespaces") and (os.geteuid() != 0 or sys.platform != "linux"):
        return "needs root on Linux"
    return ""
