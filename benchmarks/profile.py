"""Say where the time of a token goes in our event loop: `python -m benchmarks.profile`.

A profiler makes calls look dearer than they are: read the shares, not the microseconds. What the
journal's writer thread does is not in it.
"""

import asyncio
import os
import pstats
import signal
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import uvloop

from benchmarks.__main__ import upstream
from benchmarks.contenders import CONTENDERS, Served, new_database, serving
from benchmarks.readers import Reading, open_readers
from tests.integration.servers import eventually

STREAMS, PER_SECOND, SECONDS = 300, 20, 8.0
STAGES = {
    "/aiohttp/": "aiohttp: the upstream's bytes",
    "/conversations/providers/": "provider: events, chunks, text",
    "/streaming/runner.py": "run and transcript",
    "/streaming/transcript.py": "run and transcript",
    "/streaming/journal.py": "journal, publish, wake",
    "/streaming/feed.py": "journal, publish, wake",
    "/streaming/threads.py": "journal, publish, wake",
    "/concurrent/": "journal, publish, wake",
    "/asyncio/": "journal, publish, wake",
    "/streaming/subscription.py": "subscription and its frames",
    "/streaming/responses/": "subscription and its frames",
    "/streaming/sse.py": "subscription and its frames",
    "/streaming/": "handler",
    "/django/": "handler",
    "/uvicorn/": "uvicorn, with the write to the socket",
}


async def _profile(process: Served, home: Path) -> tuple[Counter[str], Counter[str], int]:
    model = process.models[0]
    requests = await asyncio.to_thread(process.requests, STREAMS, model)
    reading = Reading()
    readers = await open_readers(requests, process.ports, reading, per_second=10)
    await asyncio.sleep(2)
    os.kill(process.pids[0], signal.SIGUSR1)
    tokens = reading.tokens
    await asyncio.sleep(SECONDS)
    os.kill(process.pids[0], signal.SIGUSR2)
    tokens = reading.tokens - tokens
    for reader in readers:
        reader.transport.abort()
    await eventually((home / "profile").exists, 20, "the server wrote no profile")
    calls: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    stats: dict[tuple[str, int, str], tuple[int, int, float, float, dict[str, object]]]
    stats = pstats.Stats(str(home / "profile")).stats  # type: ignore[attr-defined]
    for (file, _, _), (_, number, own, _, callers) in stats.items():
        stage = _stage(file)
        if stage:
            calls[stage] += number
            seconds[stage] += own
            continue
        # A built-in belongs to who calls it.
        for (caller, _, _), (_, part, spent, _) in callers.items():  # type: ignore[misc,has-type]
            calls[_stage(caller) or "other"] += part
            seconds[_stage(caller) or "other"] += spent
    return calls, seconds, tokens


def _stage(file: str) -> str:
    return next((stage for part, stage in STAGES.items() if part in file), "")


def main() -> None:
    """Print the shares of the stages."""
    ours = replace(CONTENDERS[0], module="benchmarks.profiled")
    models = [f"pace-{PER_SECOND}-{int(PER_SECOND * (STREAMS / 10 * 2 + SECONDS + 20))}"]
    with tempfile.TemporaryDirectory() as directory, upstream() as upstream_port:
        home = Path(directory) / "home"
        database = new_database(ours, Path(directory) / "data")
        with serving(
            ours, home=home, database=database, upstream_port=upstream_port, models=models
        ) as process:
            calls, seconds, tokens = uvloop.run(_profile(process, home))
    whole = sum(seconds.values())
    print("| share | calls/token | stage |\n|---|---|---|")
    for stage, spent in seconds.most_common():
        print(f"| {spent / whole:.0%} | {calls[stage] / tokens:.0f} | {stage} |")


if __name__ == "__main__":
    main()
