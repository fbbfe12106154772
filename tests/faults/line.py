"""A line to PostgreSQL on which answers get lost: it cuts connections right behind a request."""

import asyncio
import contextlib
import random

_COMMIT = b"COMMIT\x00"
_COMMITS, _OTHERS = 0.5, 0.03
"""How often it cuts behind a commit, and behind anything else."""
_UNDONE = 0.3
"""How often the request is lost, too: then nothing was done."""
_CHUNK = 65536


class LossyLine:
    """Passes bytes on; while `rng` is set, some connections end when an answer is on its way."""

    def __init__(self) -> None:
        self.port = 0
        self.target = 0
        """The server's port."""
        self.rng: random.Random | None = None
        """Decides which; None while all is well."""
        self.lost_commits = 0
        """Commits that were made, and nobody was told."""
        self._server: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """End all connections."""
        if self._server is not None:
            self._server.close()
            for end in list(self._ends):
                end.transport.abort()
            await self._server.wait_closed()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            there = await asyncio.open_connection("127.0.0.1", self.target)
            ends = {writer, there[1]}
            self._ends |= ends
            deaf = asyncio.Event()
            ways = (self._ask(reader, there[1], deaf), self._answer(there[0], writer, deaf))
            tasks = [asyncio.ensure_future(way) for way in ways]
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._ends -= ends
                for end in ends:
                    end.transport.abort()
                await asyncio.gather(*tasks, return_exceptions=True)
        writer.transport.abort()

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, deaf: asyncio.Event
    ) -> None:
        while data := await reader.read(_CHUNK):
            commit = _COMMIT in data
            if self.rng and self.rng.random() < (_COMMITS if commit else _OTHERS):
                if self.rng.random() < _UNDONE:
                    return
                self.lost_commits += commit
                deaf.set()
            writer.write(data)
            await writer.drain()

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, deaf: asyncio.Event
    ) -> None:
        while (data := await reader.read(_CHUNK)) and not deaf.is_set():
            writer.write(data)
            await writer.drain()
