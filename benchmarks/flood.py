"""Measure what a flood of the log costs the chat while staff watch it: `make bench-flood`.

50,000 lines a second are made by a thread of the server's own process. Ten console readers are
connected, one of which does not read. How long does the chat take to the first token, beside the
same flood without the console's handler, and how much does the server's memory grow?
"""

import argparse
import asyncio
import json
import re
import shutil
import sqlite3
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.integration.client import Client, Connection
from tests.integration.databases import SQLite
from tests.integration.servers import Server

READERS = 10
GROWTH = 1.5
GROWTH_MS = 25.0
MEMORY_MB = 50.0


@dataclass(kw_only=True)
class Measured:
    """One round with one server."""

    first_token_ms: list[float]
    lines_per_second: float
    shown: int
    dropped: int
    grown_mb: float


async def measure(database: str, *, flood: bool, console: bool, starts: int) -> Measured:
    """Start a server, flood its log or not, and ask it again and again."""
    server = Server(
        kind="uvicorn",
        database=database,
        application="benchmarks.flooding:application",
        env={"CONSOLE_LOG": str(int(console)), "STREAMING_CONNECTIONS_PER_USER": "0"},
    )
    await server.start()
    try:
        client = await Client.sign_in(server)
        conversation = await client.new_conversation()
        _make_staff(database)
        watching = [await _watch(client) for _ in range(READERS)]
        counts = [0, 0]
        reading = [asyncio.create_task(_read(one, counts)) for one in watching[1:]]
        await _ask(client, conversation)  # the first one loads what only the first one needs
        before = _memory_mb(server)
        if flood:
            await client.get("/flood")
        began, begun = await _made(client), time.perf_counter()
        took = [await _ask(client, conversation) for _ in range(starts)]
        lines = await _made(client) - began
        seconds = time.perf_counter() - begun
        grown = _memory_mb(server) - before
        for task in reading:
            task.cancel()
        for one in watching:
            one.reset()
        await client.discard()
        return Measured(
            first_token_ms=took,
            lines_per_second=lines / seconds,
            shown=counts[0],
            dropped=counts[1],
            grown_mb=grown,
        )
    finally:
        server.discard()


def _make_staff(database: str) -> None:
    with sqlite3.connect(database.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE auth_user SET is_staff = 1")
    connection.close()


async def _watch(client: Client) -> Connection:
    headers = {"Accept": "text/event-stream"}
    connection = await client._ask("GET", "/console/logs/stream", None, headers, small_buffer=True)
    assert connection.status == 200, connection.status
    return connection


async def _read(connection: Connection, counts: list[int]) -> None:
    """Read a console's stream and count the lines, shown and dropped."""
    pending = b""
    while piece := await connection.read_some():
        *frames, pending = (pending + piece).split(b"\n\n")
        for frame in frames:
            data = frame.partition(b"data: ")[2]
            if data:
                body = json.loads(data)
                counts[0] += len(body["lines"])
                counts[1] += body["dropped"]


async def _ask(client: Client, conversation: str) -> float:
    """Ask, and return the milliseconds to the first text of the reply."""
    script = json.dumps({"steps": [{"text": "Well."}]})
    begun = time.perf_counter()
    path = f"/api/conversations/{conversation}/messages"
    headers = {"Accept": "text/event-stream"}
    connection = await client._ask("POST", path, {"content": script}, headers)
    assert connection.status == 200, connection.status
    seen = b""
    while b"event: delta" not in seen:
        seen += await connection.read_some()
    took = (time.perf_counter() - begun) * 1000
    while await connection.read_some():
        pass
    connection.finish()
    return took


async def _made(client: Client) -> int:
    return int((await client.get("/flooded")).body)


def _memory_mb(server: Server) -> float:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{server.pid}/status").read_text())
    assert found
    return int(found[1]) / 1024


def _percentile(values: list[float], share: float) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[round(share * 100) - 1]


async def main(starts: int, rounds: int) -> int:
    """Measure in turns, so that what else the machine does meets all alike."""
    directory = Path(tempfile.mkdtemp(prefix="holdfast-flood-"))
    cases = {
        "no flood": {"flood": False, "console": True},
        "flood, without the handler": {"flood": True, "console": False},
        "flood, ten readers": {"flood": True, "console": True},
    }
    found: dict[str, list[Measured]] = {name: [] for name in cases}
    try:
        sqlite = SQLite(directory)
        for _ in range(rounds):
            for name, case in cases.items():
                found[name].append(await measure(sqlite.new(), starts=starts, **case))
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print("| case | starts | p50 | p99 | lines a second | shown | dropped | memory |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    p99 = {}
    for name, measured in found.items():
        took = [one for round_ in measured for one in round_.first_token_ms]
        p99[name] = _percentile(took, 0.99)
        lines = statistics.mean(one.lines_per_second for one in measured)
        shown, dropped = sum(one.shown for one in measured), sum(one.dropped for one in measured)
        grown = max(one.grown_mb for one in measured)
        print(
            f"| {name} | {len(took)} | {_percentile(took, 0.5):.1f} ms | {p99[name]:.1f} ms"
            f" | {lines:,.0f} | {shown:,} | {dropped:,} | {grown:+.1f} MB |"
        )
    without, watched = p99["flood, without the handler"], p99["flood, ten readers"]
    memory = max(one.grown_mb for one in found["flood, ten readers"])
    kept = watched <= max(without * GROWTH, without + GROWTH_MS) and memory < MEMORY_MB
    verdict = "kept" if kept else "NOT KEPT"
    print(f"p99 {watched / without:.2f} times, {watched - without:+.1f} ms: {verdict}")
    return 0 if kept else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", type=int, default=100, help="in each round of each case")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    sys.exit(asyncio.run(main(given.starts, given.rounds)))
