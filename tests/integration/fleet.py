"""The servers and people of one test."""

from typing import Any

from tests.integration.client import Client
from tests.integration.databases import SQLite
from tests.integration.servers import Server


class Servers:
    """Starts servers and discards them all in the end."""

    def __init__(self, sqlite: SQLite) -> None:
        self.sqlite = sqlite
        self.started: list[Server] = []
        self.clients: list[Client] = []

    async def start(self, kind: str = "uvicorn", database: str = "", **options: Any) -> Server:
        """Start a server and wait until it is healthy; `database` defaults to a fresh SQLite.

        Args:
            options: fields of `Server`.
        """
        server = self.prepare(kind, database, **options)
        return await server.start()

    def prepare(self, kind: str = "uvicorn", database: str = "", **options: Any) -> Server:
        """Make a server that is not started yet."""
        server = Server(kind=kind, database=database or self.sqlite.new(), **options)
        self.started.append(server)
        return server

    async def client(self, server: Server, name: str = "Alice") -> Client:
        """Sign a guest in."""
        client = await Client.sign_in(server, name)
        self.clients.append(client)
        return client

    async def discard(self) -> None:
        for client in self.clients:
            await client.discard()
        for server in self.started:
            server.discard()
