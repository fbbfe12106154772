"""Measure all contenders in one run and print one table: `make bench`."""

import argparse
import asyncio
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop

from benchmarks.contenders import CONTENDERS, Contender, Served, new_database, serving
from benchmarks.readers import Reading, open_readers
from benchmarks.table import Row, print_table
from tests.integration.databases import PostgreSQL
from tests.integration.servers import free_port

_SETTLING_SECONDS = 3.0
_WARM_UP_STREAMS = 10
_IDLE_STREAMS = 100
_ENDLESS = 1_000_000  # tokens; the server is killed before


@dataclass(frozen=True)
class Load:
    """So many streams at once, each at its pace."""

    streams: int
    per_second: int
    opened_per_second: float
    """How fast the streams are begun; their start is no part of the figures per token."""

    @property
    def name(self) -> str:
        return f"{self.streams} x {self.per_second}/s"


LOADS = (
    Load(1, 20, 1),
    Load(100, 20, 20),
    Load(100, 50, 20),
    Load(300, 20, 20),
    Load(1000, 5, 6),
)


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--seconds", type=float, default=12.0, help="length of each measurement")
    parser.add_argument("--only", default="", help="contenders, e.g. ace; all by default")
    parser.add_argument("--loads", default="", help="e.g. 1x20,100x20; all by default")
    parser.add_argument(
        "--workers", type=int, default=1, help="processes of Holdfast; peers have always one"
    )
    arguments = parser.parse_args()
    contenders = [c for c in CONTENDERS if not arguments.only or c.key in arguments.only]
    wanted = arguments.loads.split(",") if arguments.loads else []
    loads = [load for load in LOADS if not wanted or load.name.replace(" ", "")[:-2] in wanted]
    rows: list[Row] = []
    home = Path(tempfile.mkdtemp(prefix="holdfast-bench-"))
    try:
        with upstream() as upstream_port, _postgresql(home, contenders) as postgresql:
            for load in loads:
                for contender in contenders:
                    here = home / f"{contender.key}-{load.streams}-{load.per_second}"
                    if contender.postgresql:
                        assert postgresql is not None
                        database = postgresql.new()
                    else:
                        database = new_database(contender, here / "data")
                    models = [f"pace-{load.per_second}-{_ENDLESS}", "pace-100-5"]
                    with serving(
                        contender,
                        home=here / "home",
                        database=database,
                        upstream_port=upstream_port,
                        models=models,
                        workers=arguments.workers if contender.ours else 1,
                    ) as process:
                        try:
                            row = uvloop.run(_measure(process, load, arguments.seconds))
                        except AssertionError as error:
                            print(error, file=sys.stderr)
                            row = Row(key=contender.key, name=process.name, load=load.name)
                            row.kept_up = False
                    print(row.name, load.name, "measured", file=sys.stderr, flush=True)
                    rows.append(row)
    finally:
        shutil.rmtree(home, ignore_errors=True)
        print_table(rows)


async def _measure(process: Served, load: Load, seconds: float) -> Row:
    long, short = process.models
    await asyncio.to_thread(process.requests, max(load.streams, _WARM_UP_STREAMS), long)
    await _one_by_one(process, short, _WARM_UP_STREAMS)
    if load.streams == 1:
        return await _first_tokens(process, short, load)
    idle_memory, idle_cpu = process.memory(), process.cpu_seconds()
    reading = Reading()
    readers = await open_readers(
        process.requests(load.streams, long),
        process.ports,
        reading,
        per_second=load.opened_per_second,
    )
    opening_cpu, opening_tokens = process.cpu_seconds() - idle_cpu, reading.tokens
    await asyncio.sleep(_SETTLING_SECONDS)
    reading.noting = True
    began, cpu, tokens = time.monotonic(), process.cpu_seconds(), reading.tokens
    await asyncio.sleep(seconds / 2)
    memory, threads = process.memory(), process.threads()
    connections = await asyncio.to_thread(process.connections)
    await asyncio.sleep(seconds / 2)
    took = time.monotonic() - began
    cpu, tokens = process.cpu_seconds() - cpu, reading.tokens - tokens
    reading.noting = False
    assert not any(reader.closed.done() for reader in readers), "a stream ended while measured"
    for reader in readers:
        reader.transport.abort()
    per_token = cpu / tokens
    return Row(
        key=process.contender.key,
        name=process.name,
        load=load.name,
        cpu_per_token=per_token * 1e6,
        cpu_per_start=(opening_cpu - opening_tokens * per_token) / load.streams * 1e3,
        busy=cpu / took,
        delivered=tokens / took / (load.streams * load.per_second),
        lags=sorted(reading.lags),
        firsts=sorted(reading.firsts),
        memory=(memory - idle_memory) / load.streams,
        threads=threads,
        connections=connections,
    )


async def _first_tokens(process: Served, model: str, load: Load) -> Row:
    await asyncio.to_thread(process.requests, _IDLE_STREAMS, model)
    reading = await _one_by_one(process, model, _IDLE_STREAMS)
    return Row(
        key=process.contender.key,
        name=process.name,
        load="1, idle server",
        firsts=sorted(reading.firsts),
        threads=process.threads(),
        connections=await asyncio.to_thread(process.connections),
    )


async def _one_by_one(process: Served, model: str, number: int) -> Reading:
    """Ask for short replies, each on a server that is idle again."""
    reading = Reading()
    for request in process.requests(number, model):
        [reader] = await open_readers([request], process.ports, reading, per_second=1)
        await asyncio.wait_for(reader.closed, 30)
        await asyncio.sleep(0.05)
    return reading


@contextmanager
def upstream() -> Iterator[int]:
    """Run the mock upstream in a process of its own; gives its port."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.upstream", str(port)])
    try:
        deadline = time.monotonic() + 10
        while not _listens(port):
            assert time.monotonic() < deadline, "the upstream does not start"
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def _postgresql(home: Path, contenders: Sequence[Contender]) -> Iterator[PostgreSQL | None]:
    if not any(contender.postgresql for contender in contenders):
        yield None
        return
    directory = home / "postgresql"
    directory.mkdir()
    home.chmod(0o755)
    server = PostgreSQL(directory, durable=True)
    server.start()
    try:
        yield server
    finally:
        server.stop()


if __name__ == "__main__":
    main()
