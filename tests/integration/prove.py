"""Prove the prefix law at length: `make prove`, one row per server, transport and database.

The table goes to stdout, with how to play again what failed; stderr tells what was wrong.

python -m tests.integration.prove --scripts 200
python -m tests.integration.prove --seed 17 --server daphne --transport SSE --database SQLite
"""

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path

from tests.integration.databases import PostgreSQL, SQLite
from tests.integration.lanes import SIDE_BY_SIDE, Lane, Result, play_all
from tests.integration.play import TRANSPORTS, Transport

KINDS = ("uvicorn", "uvicorn-asyncio", "daphne")
DATABASES = ("SQLite", "PostgreSQL")
COLUMNS = {
    "server": 15,
    "transport": 9,
    "database": 10,
    "scripts": 7,
    "replies": 7,
    "interrupted": 11,
    "readers": 7,
    "characters": 11,
    "ended": 6,
    "FIN": 5,
    "RST": 5,
    "half-close": 10,
    "stop reading": 12,
    "close frame": 11,
    "unfollow": 8,
    "cut": 5,
    "kills": 5,
    "SIGTERMs": 8,
    "lost": 4,
    "doubled": 7,
    "endless": 7,
    "other": 5,
    "ERROR": 5,
    "seconds": 7,
}
"""Of the table, with their widths. From `ended` to `cut`: what became of the readers."""

WORDS = ("server", "transport", "database")
FOUND = {"wire": "other", "log": "ERROR"}
"""Columns of breaches where they are not named as their kind."""


def main() -> int:
    """Play the cells asked for, one after the other; 0 if the law held everywhere."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))  # the cluster ends, too
    options = _options()
    seeds = [options.seed] if options.seed else range(1, options.scripts + 1)
    failures: list[str] = []
    totals: Counter[str] = Counter()
    with _databases(options.database) as databases:
        _say(_line({name: name for name in COLUMNS}))
        cells = product(options.server or KINDS, databases.items(), options.transport or TRANSPORTS)
        for kind, (database, new_database), transport in cells:
            cell = {"server": kind, "transport": transport, "database": database}
            results, counted = asyncio.run(
                _prove(kind, new_database, transport, seeds, options.side_by_side)
            )
            totals.update(counted)
            _say(_line({**cell, **counted}))
            for result in results:
                if result.breaches:
                    failures.append(again(cell, result))
                    sys.stderr.write(f"\n{failures[-1]}\n{result.story()}\n\n")
        _say(_line({"server": "all", "transport": "", "database": "", **totals}))
    _say("\n" + ("\n".join(failures) or "The law held in every script."))
    return 1 if failures else 0


async def _prove(
    kind: str,
    new_database: Callable[[], str],
    transport: Transport,
    seeds: Iterable[int],
    side_by_side: int,
) -> tuple[list[Result], Counter[str]]:
    started = time.monotonic()
    lanes = [Lane(kind, new_database) for _ in range(side_by_side)]
    try:
        results = await play_all(lanes, transport, seeds)
    finally:
        for lane in lanes:
            lane.discard()
    counted = tally(results)
    counted["seconds"] = round(time.monotonic() - started)
    return results, counted


def tally(results: Sequence[Result]) -> Counter[str]:
    """Count what was done and what was found, by the names of columns."""
    counted: Counter[str] = Counter(scripts=len(results))
    for result in results:
        counted["replies"] += result.replies
        counted["readers"] += result.ways.total()
        counted["characters"] += result.characters
        counted["kills"] += result.plan.fate == "kill"
        counted["SIGTERMs"] += result.plan.fate == "term"
        counted["interrupted"] += result.outcomes["interrupted"]
        counted.update(result.ways)
        counted.update(FOUND.get(b.kind, b.kind) for b in result.breaches)
    return counted


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scripts", type=int, default=200, help="per cell; seeds 1 to this")
    parser.add_argument("--seed", type=int, help="play this one script only")
    parser.add_argument("--server", action="append", choices=KINDS)
    parser.add_argument("--transport", action="append", choices=TRANSPORTS)
    parser.add_argument("--database", action="append", choices=DATABASES)
    parser.add_argument("--side-by-side", type=int, default=SIDE_BY_SIDE, metavar="SERVERS")
    return parser.parse_args()


@contextmanager
def _databases(wanted: Sequence[str] | None) -> Iterator[dict[str, Callable[[], str]]]:
    """Give what makes a fresh database of each kind."""
    with tempfile.TemporaryDirectory(prefix="holdfast-prove-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        found: dict[str, Callable[[], str]] = {}
        cluster = None
        if wanted is None or "SQLite" in wanted:
            found["SQLite"] = SQLite(directory).new
        if wanted is None or "PostgreSQL" in wanted:
            home = directory / "postgresql"
            home.mkdir()
            cluster = PostgreSQL(home)
            cluster.start()
            found["PostgreSQL"] = cluster.new
        try:
            yield found
        finally:
            if cluster is not None:
                cluster.stop()


def _line(cell: Mapping[str, object]) -> str:
    texts = []
    for name, width in COLUMNS.items():
        text = str(cell.get(name, 0))
        texts.append(text.ljust(width) if name in WORDS else text.rjust(width))
    return "  ".join(texts).rstrip()


def again(cell: Mapping[str, str], result: Result) -> str:
    """Say how to play a script again."""
    where = " ".join(f"--{name} {value}" for name, value in cell.items())
    return f'make prove SEED={result.plan.seed} CELL="{where}"'


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
