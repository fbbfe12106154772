"""Two workers as on two hosts: namespaces, host names and clocks of their own.

Each has two ways out: one to readers and upstream, one to the database. Needs root.
"""

import contextlib
import os
import subprocess
from dataclasses import dataclass
from typing import Any

from tests.faults.clocks import wrong_clock
from tests.faults.world import OnPostgreSQL
from tests.integration.databases import PostgreSQL
from tests.integration.servers import Server, answers, eventually, free_port
from tests.upstream import FakeUpstream

_WORKERS = (1, 2)
_CLOCKS = {1: "+0", 2: "+3600"}
_BEFORE = 'hostname "$1" && shift && exec ip netns exec "$@"'


@dataclass
class Elsewhere(Server):
    """A worker behind an address of its own."""

    host: str = ""

    async def wait_healthy(self, seconds: float = 60.0) -> None:
        """Ask at its address."""

        async def is_healthy() -> bool:
            assert self.alive, f"it died at its start:\n{self.log()[-4000:]}"
            return await answers(self.port, "/healthz", host=self.host)

        await eventually(is_healthy, seconds, lambda: self.log()[-4000:])

    def _command(self) -> list[str]:
        return [self.host if word == "127.0.0.1" else word for word in super()._command()]


class OwnNamespaces(OnPostgreSQL):
    """Nothing is shared but the database, and the way to it can be cut for one of them."""

    def __init__(self) -> None:
        super().__init__()
        self._octet = 64 + os.getpid() % 128
        self._made: list[str] = []
        hosts = ["127.0.0.1", *(self._address("f", number, 1) for number in _WORKERS)]
        self.upstream = FakeUpstream(port=free_port(), hosts=hosts)

    def new_database(self) -> str:
        """Make the namespaces, and a cluster that listens where they can reach it."""
        for number in _WORKERS:
            self._make(number)
        home = self.directory / "postgresql"
        home.mkdir()
        ways = [self._address("d", number, 1) for number in _WORKERS]
        self.cluster = PostgreSQL(home, durable=True, addresses=",".join(["127.0.0.1", *ways]))
        self.cluster.start()
        with (home / "data" / "pg_hba.conf").open("a") as file:
            file.writelines(f"host all all {way}/24 trust\n" for way in ways)
        self.cluster.stop("fast")
        self.cluster.run()
        return self.cluster.new()

    def new_worker(self, number: int, **options: Any) -> Server:
        """Make a worker in its namespace, an hour away from the other."""
        offset = self.directory / f"clock-{number}"
        offset.write_text(_CLOCKS[number])
        made = super().new_worker(number)
        there = self._address("f", number, 1)
        env = made.env | wrong_clock(offset)
        env["STREAMING_RUN_DIRECTORY"] = str(made.home / "run")
        env["OPENAI_BASE_URL"] = self.upstream.base_url.replace("127.0.0.1", there)
        return Elsewhere(
            kind="uvicorn",
            database=self.database.replace("127.0.0.1", self._address("d", number, 1)),
            env=env,
            before=(
                "unshare",
                "--uts",
                "sh",
                "-c",
                _BEFORE,
                "sh",
                f"host-{number}",
                self._name(number),
            ),
            home=made.home,
            port=made.port,
            host=self._address("f", number, 2),
        )

    def address(self, worker: Server) -> str:
        """Where the proxy finds a worker."""
        assert isinstance(worker, Elsewhere)
        return f"{worker.host}:{worker.port}"

    async def is_ready(self, worker: Server) -> bool:
        """Whether a worker would be given requests."""
        assert isinstance(worker, Elsewhere)
        return worker.alive and await answers(worker.port, "/readyz", host=worker.host)

    def cut(self, number: int, *, again: bool = False) -> None:
        """Take a worker's way to the database, or give it back: packets vanish unsaid."""
        _ip("link", "set", self._link("d", number), "up" if again else "down")

    def end(self) -> None:
        """Remove the namespaces, and with them the links."""
        super().end()
        for name in self._made:
            with contextlib.suppress(subprocess.CalledProcessError):
                _ip("netns", "delete", name)

    def _make(self, number: int) -> None:
        name = self._name(number)
        _ip("netns", "add", name)
        self._made.append(name)
        _ip("-n", name, "link", "set", "lo", "up")
        for way in ("f", "d"):
            ours, theirs = self._link(way, number), f"{way}0"
            _ip("link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", name)
            _ip("address", "add", f"{self._address(way, number, 1)}/24", "dev", ours)
            _ip("link", "set", ours, "up")
            there = f"{self._address(way, number, 2)}/24"
            _ip("-n", name, "address", "add", there, "dev", theirs)
            _ip("-n", name, "link", "set", theirs, "up")

    def _name(self, number: int) -> str:
        return f"faults-{self._octet}-{number}"

    def _link(self, way: str, number: int) -> str:
        return f"flt{self._octet}{way}{number}"

    def _address(self, way: str, number: int, host: int) -> str:
        return f"10.{self._octet}.{number + (10 if way == 'd' else 0)}.{host}"


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
