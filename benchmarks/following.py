"""What following another worker's runs costs: `make bench-following`.

Two workers on one PostgreSQL. Each run is produced on the first, where a reader is given text as
soon as it is stored, and followed by another reader on the second. What lies between the two, for
the same place in the text, is the way from stored to shown elsewhere.
"""

import argparse
import asyncio
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.integration.client import Client, Reader, metrics
from tests.integration.databases import PostgreSQL, rows
from tests.integration.scripts import script
from tests.integration.servers import Server, eventually, free_port
from tests.redis_server import RedisServer

_WAYS = ("notify", "redis", "polling")
_SETTLING_SECONDS = 3.0
_WORD = "word "


@dataclass
class Row:
    """One measurement."""

    way: str
    readers: int
    lags_ms: list[float]
    polls: float
    """Statements of the follower in a second."""
    transactions: float
    """Transactions of both workers and all else in a second."""
    cpu: tuple[float, float]
    """Processor seconds of producer and follower in a second."""


def main() -> None:
    """Measure what was asked for and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.following", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each measurement")
    parser.add_argument("--readers", default="1,50,200", help="how many readers, each of a run")
    parser.add_argument("--per-second", type=int, default=10, help="tokens of each run in a second")
    parser.add_argument("--ways", default=",".join(_WAYS))
    given = parser.parse_args()
    found: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="holdfast-following-") as name:
        home = Path(name)
        home.chmod(0o755)
        (home / "postgresql").mkdir()
        postgresql = PostgreSQL(home / "postgresql", durable=True)
        redis = RedisServer(free_port())
        postgresql.start()
        redis.start()
        try:
            for way in given.ways.split(","):
                for readers in map(int, given.readers.split(",")):
                    measuring = _measure(way, postgresql.new(), redis, readers, given)
                    found.append(asyncio.run(measuring))
        finally:
            redis.stop()
            postgresql.stop()
    _print(found)


async def _measure(
    way: str, database: str, redis: RedisServer, readers: int, given: argparse.Namespace
) -> Row:
    env = {
        "REDIS_URL": redis.url if way == "redis" else "",
        "STREAMING_WAKE_BY": "polling" if way == "polling" else "auto",
    }
    first = Server(kind="uvicorn", database=database, env=env)
    shared = {"STREAMING_RUN_DIRECTORY": first.environment()["STREAMING_RUN_DIRECTORY"]}
    second = Server(kind="uvicorn", database=database, env=env | shared)
    try:
        await asyncio.gather(first.start(), second.start())
        here = await Client.sign_in(first)
        await here.new_conversation()
        there = here.at(second)
        if way != "polling":
            await eventually(lambda: _proven(here, there), 15, "no proof")
        pairs = [await _pair(here, there, given.per_second) for _ in range(readers)]
        await asyncio.sleep(_SETTLING_SECONDS)
        begun, before = time.monotonic(), await _counts(first, second)
        await asyncio.sleep(given.seconds)
        ended, after = time.monotonic(), await _counts(first, second)
        await asyncio.sleep(_SETTLING_SECONDS)  # lets who is behind catch up
        polls, transactions, *cpu = (b - a for a, b in zip(before, after, strict=True))
        took = ended - begun
        return Row(
            way,
            readers,
            sorted(lag for pair in pairs for lag in _lags_ms(*pair, begun, ended)),
            polls / took,
            transactions / took,
            (cpu[0] / took, cpu[1] / took),
        )
    finally:
        for server in (first, second):
            server.discard()


async def _proven(*clients: Client) -> bool:
    answers = await asyncio.gather(*(client.get("/readyz") for client in clients))
    return all(answer.json()["waking"]["proven"] for answer in answers)


async def _pair(here: Client, there: Client, per_second: int) -> tuple[Reader, Reader]:
    pause_ms = round(1000 / per_second)
    steps = [{"repeat": 100_000, "text": _WORD, "pause_ms": pause_ms}]
    local = await here.send(await here.new_conversation(), script(*steps))
    await local.until_received(1)
    remote = await there.follow(local.ledger.run_id)
    await remote.until_received(1)
    return local, remote


async def _counts(first: Server, second: Server) -> tuple[float, ...]:
    statement = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
    [(transactions,)] = rows(first.database, statement)
    figures = await asyncio.gather(metrics(first), metrics(second))
    cpu = (found["process_cpu_seconds_total"] for found in figures)
    return figures[1]["holdfast_follow_polls_total"], transactions, *cpu


def _lags_ms(local: Reader, remote: Reader, begun: float, ended: float) -> list[float]:
    """Say, for each delta here, how much later the same place was reached there."""
    shown = [(_end(event), event["_seen"]) for event in _deltas(remote)]
    found, at = [], 0
    for event in _deltas(local):
        if not begun <= event["_seen"] < ended:
            continue
        while at < len(shown) and shown[at][0] < _end(event):
            at += 1
        seen = shown[at][1] if at < len(shown) else float("inf")
        found.append((seen - event["_seen"]) * 1000)
    return found


def _deltas(reader: Reader) -> list[dict[str, object]]:
    return [event for event in reader.ledger.events if event["type"] == "delta"]


def _end(event: dict[str, object]) -> int:
    offset = int(str(event["at"]).partition("-")[2])
    return offset + len(str(event["text"]))


def _print(found: list[Row]) -> None:
    print("| woken by | readers | p50 ms | p99 ms | longest ms | looks a second |", end="")
    print(" transactions a second | CPU: producer, follower |")
    print("|---|--:|--:|--:|--:|--:|--:|---|")
    for row in found:
        lags = row.lags_ms
        half, most = lags[len(lags) // 2], lags[len(lags) * 99 // 100]
        print(
            f"| {row.way} | {row.readers} | {half:.1f} | {most:.1f} | {lags[-1]:.1f} |"
            f" {row.polls:.0f} | {row.transactions:.0f} | {row.cpu[0]:.2f}, {row.cpu[1]:.2f} |"
        )


if __name__ == "__main__":
    main()
