"""Readers of streams: each sends its request, then notes when each token came."""

import asyncio
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

from benchmarks.upstream import TOKEN

_TOKEN_BYTES = 16


@dataclass
class Reading:
    """What all readers of one run found, in microseconds."""

    tokens: int = 0
    firsts: "array[int]" = field(default_factory=lambda: array("q"))
    """From the request until its first token."""
    lags: "array[int]" = field(default_factory=lambda: array("q"))
    """From the upstream's write until the reader has the token; noted while `noting`."""
    noting: bool = False
    ended: int = 0


class Reader(asyncio.Protocol):
    """One connection that asks once and reads to the end."""

    def __init__(self, request: bytes, reading: Reading) -> None:
        self._request = request
        self._reading = reading
        self._rest = b""
        self._asked = 0
        self.tokens = 0
        self.head = b""
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns() // 1000
        if not self.head:
            self.head = data
        reading = self._reading
        data = self._rest + data
        end = 0
        for found in TOKEN.finditer(data):
            end = found.end()
            self.tokens += 1
            reading.tokens += 1
            if self.tokens == 1:
                reading.firsts.append(now - self._asked)
            if reading.noting:
                reading.lags.append(now - int(found[1]))
        # A token may be cut in two between reads; what ends the stream is never longer than one.
        self._rest = data[max(end, len(data) - _TOKEN_BYTES + 1) :]
        if data.endswith(b"0\r\n\r\n"):
            self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self._reading.ended += 1
        self.closed.set_result(None)

    async def ask(self, port: int) -> None:
        """Connect and send the request."""
        self._asked = time.monotonic_ns() // 1000
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self, "127.0.0.1", port)


async def open_readers(
    requests: list[bytes], ports: Sequence[int], reading: Reading, *, per_second: float
) -> list[Reader]:
    """Start readers one after another, evenly, and wait until each has its first token.

    Args:
        ports: of the workers, which are asked in turn.
    """
    loop = asyncio.get_running_loop()
    readers: list[Reader] = []
    begin = loop.time()
    for number, request in enumerate(requests):
        await asyncio.sleep(max(0.0, begin + number / per_second - loop.time()))
        reader = Reader(request, reading)
        readers.append(reader)
        await reader.ask(ports[number % len(ports)])
    await _until(lambda: all(reader.tokens for reader in readers), readers, 90.0)
    return readers


async def _until(claim: Callable[[], bool], readers: list[Reader], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not claim():
        silent = [reader for reader in readers if not reader.tokens]
        assert time.monotonic() < deadline, f"{len(silent)} readers wait: {silent[0].head[:600]!r}"
        closed = [reader for reader in silent if reader.closed.done()]
        assert not closed, f"closed without a token: {closed[0].head[:600]!r}"
        await asyncio.sleep(0.02)
