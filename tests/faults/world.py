"""The processes that faults are thrown at: a database, two workers, a proxy, an upstream."""

import asyncio
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Self

from tests.faults.proxy import Nginx
from tests.integration.client import Client
from tests.integration.databases import PostgreSQL
from tests.integration.servers import Server, answers, eventually
from tests.upstream import FakeUpstream

LEASE_SECONDS = 3.0
NO_PROGRESS_SECONDS = 5.0
ENV = {
    "STREAMING_LEASE_SECONDS": str(LEASE_SECONDS),
    "STREAMING_NO_PROGRESS_SECONDS": str(NO_PROGRESS_SECONDS),
    "STREAMING_HEARTBEAT_SECONDS": "1",
    "STREAMING_DRAIN_SECONDS": "1",
    "STREAMING_DISCONNECT_GRACE_SECONDS": "1",
    "STREAMING_CONNECTIONS_PER_USER": "0",
    "STREAMING_STARTS_PER_MINUTE_PER_ADDRESS": "1000000",
    "CHAT_SCRIPTED": "0",
    "OPENAI_MODELS": "upstream",
    "OPENAI_API_KEY": "sk-faults",
}
_PEOPLE = 4
_READY_SECONDS = 30.0


class World:
    """Two workers on one host, with one directory of lock files."""

    model = "upstream"
    """Whom people ask."""

    def __init__(self) -> None:
        # A database that syncs in memory: the speed of a disk is no fault of ours.
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.directory = Path(tempfile.mkdtemp(prefix="holdfast-faults-", dir=memory))
        self.directory.chmod(0o755)
        self.database = ""
        self.upstream = FakeUpstream()
        self.workers: list[Server] = []
        self.front = Nginx(kind="nginx", database="")
        self.people: list[Client] = []

    async def __aenter__(self) -> Self:
        try:
            self.database = await asyncio.to_thread(self.new_database)
            await self.upstream.__aenter__()
            self.workers = [self.new_worker(number) for number in (1, 2)]
            await asyncio.gather(*(worker.start() for worker in self.workers))
            self.front.pass_to([self.address(worker) for worker in self.workers])
            await self.front.start()
            names = [f"Reader {number}" for number in range(_PEOPLE)]
            self.people = [await Client.sign_in(self.front, name) for name in names]
            for person in self.people:
                await person.new_conversation(model=self.model)
        except BaseException:  # nobody else ends the processes that have begun
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for server in (self.front, *self.workers):
            server.discard()
        if self.upstream.port:
            await self.upstream.__aexit__()
        await asyncio.to_thread(self.end)
        shutil.rmtree(self.directory, ignore_errors=True)

    def new_database(self) -> str:
        """Make a migrated database and give its URL."""
        raise NotImplementedError

    def new_worker(self, number: int, **options: Any) -> Server:
        """Make a worker that is not started yet."""
        env = ENV | {
            "STREAMING_RUN_DIRECTORY": str(self.directory / "run"),
            "OPENAI_BASE_URL": self.upstream.base_url,
        }
        env |= options.pop("env", {})
        return Server(kind="uvicorn", database=self.database, env=env, **options)

    def address(self, worker: Server) -> str:
        """Where the proxy finds a worker."""
        return f"127.0.0.1:{worker.port}"

    def end(self) -> None:
        """End what is no server of ours."""

    async def is_ready(self, worker: Server) -> bool:
        """Whether a worker would be given requests."""
        return worker.alive and await answers(worker.port, "/readyz")

    async def ready(self) -> None:
        """Wait until all is as it was before any fault."""
        for worker in self.workers:
            await eventually(
                lambda w=worker: self.is_ready(w),
                _READY_SECONDS,
                lambda w=worker: f"a worker is not ready: {w.log()[-3000:]}",
                every_seconds=0.05,
            )


class OnPostgreSQL(World):
    """A private cluster, as durable as one in production."""

    cluster: PostgreSQL

    def new_database(self) -> str:
        """Start the cluster and make a database in it."""
        home = self.directory / "postgresql"
        home.mkdir()
        self.cluster = PostgreSQL(home, durable=True)
        self.cluster.start()
        return self.cluster.new()

    def end(self) -> None:
        """Stop the cluster, if it runs."""
        if hasattr(self, "cluster"):
            self.cluster.stop()
