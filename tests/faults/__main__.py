"""Throw faults at real processes and print what came of it: `make faults`.

python -m tests.faults --only "worker killed" --times 5
python -m tests.faults --list
"""

import argparse
import asyncio
import resource
import signal
import sys
import time
from collections import Counter

from tests.faults import table
from tests.faults.catalogue import FAULTS
from tests.faults.fault import Fault
from tests.faults.page import Transport
from tests.faults.scene import Scene
from tests.faults.verdict import Verdict
from tests.faults.world import World
from tests.faults.worlds import WORLDS, why_not

TRANSPORTS: dict[str, tuple[Transport, ...]] = {
    "sse": ("sse",),
    "socket": ("socket",),
    "both": ("sse", "socket"),
}
_FILES = 8192


def main() -> int:
    """Throw what was asked for; 0 if everything is zero that must be."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))  # worlds end, too
    options = _options()
    if options.list:
        _say("\n".join(FAULTS))
        return 0
    _open_many_files()
    _say(table.head())
    return asyncio.run(_throw_all(options))


async def _throw_all(options: argparse.Namespace) -> int:
    suite = Suite(options)
    await suite.throw_all()
    return suite.report()


class Suite:
    """Throws all faults that are asked for, some of them side by side."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._total = Verdict()
        self._again: list[str] = []
        self._told: list[str] = []
        self._begun = time.monotonic()

    async def throw_all(self) -> None:
        """Throw what does not need the machine for itself, then what does."""
        chosen = [FAULTS[name] for name in self._options.only or FAULTS]
        together = [fault for fault in chosen if not fault.crowd]
        beside = asyncio.Semaphore(self._options.beside)
        await asyncio.gather(*(self._in_one_world(part, beside) for part in self._parts(together)))
        for part in self._parts([fault for fault in chosen if fault.crowd]):
            await self._in_one_world(part, beside)

    def _parts(self, faults: list[Fault]) -> list[list[Fault]]:
        """Say which faults are thrown at the same processes, one after the other."""
        parts = []
        for world in dict.fromkeys(fault.world for fault in faults):
            mine = [fault for fault in faults if fault.world == world]
            number = self._options.beside
            parts += [mine[first::number] for first in range(min(number, len(mine)))]
        return parts

    async def _in_one_world(self, faults: list[Fault], beside: asyncio.Semaphore) -> None:
        options, transports = self._options, TRANSPORTS[self._options.transport]
        if reason := why_not(faults[0].world):
            self._told += [f"{fault.name}: not thrown, {reason}" for fault in faults]
            return
        async with beside, WORLDS[faults[0].world]() as world:
            for fault in faults:
                verdict, seeds = await throw(world, fault, options.times, options.seed, transports)
                self._again += [_again(fault, seed, options.transport) for seed in seeds]
                self._told += _told(fault, verdict)
                self._total.add(verdict)

    def report(self) -> int:
        """Print the sums and what is told; 0 if everything is zero that must be."""
        _say(table.row("all", self._total, time.monotonic() - self._begun))
        _say("\n" + "\n".join(self._told))
        again = ["To repeat what failed:", *self._again] if self._again else ["All is zero."]
        _say("\n" + "\n".join(again))
        return 1 if self._again else 0


async def throw(
    world: World, fault: Fault, times: int, seed: int, transports: tuple[Transport, ...]
) -> tuple[Verdict, list[int]]:
    """Throw one fault so often, and print its row.

    Returns:
        What was seen, and the seeds of the scenes that were not as they must be.
    """
    begun = time.monotonic()
    total, failed = Verdict(), []
    while total.injected < times:
        left = times - total.injected
        replies = fault.replies if fault.strike else min(fault.replies, left)
        verdict = await Scene(world, fault, seed, transports, replies).play()
        if not verdict.is_clean:
            failed.append(seed)
            sys.stderr.write(f"\n{fault.name}, seed {seed}: {verdict.story()}\n\n")
        total.add(verdict)
        seed += 1
    _say(table.row(fault.name, total, time.monotonic() - begun))
    return total, failed


def _told(fault: Fault, verdict: Verdict) -> list[str]:
    outcomes = ", ".join(f"{number} {end}" for end, number in verdict.outcomes.most_common())
    notes = [f"{number} times {note}" for note, number in Counter(verdict.notes).items()]
    return [
        f"{fault.name}: " + "; ".join([outcomes, *notes, *([fault.note] if fault.note else [])])
    ]


def _again(fault: Fault, seed: int, transport: str) -> str:
    arguments = f'--only "{fault.name}" --seed {seed} --transport {transport}'
    return f"python -m tests.faults {arguments} --times {1 if fault.strike else fault.replies}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(FAULTS), metavar="NAME")
    parser.add_argument("--times", type=int, default=20, help="of each fault")
    parser.add_argument("--beside", type=int, default=1, help="so many scenes at a time")
    parser.add_argument("--seed", type=int, default=1, help="of the first scene of each fault")
    parser.add_argument("--transport", choices=list(TRANSPORTS), default="both")
    parser.add_argument("--list", action="store_true", help="name the faults")
    return parser.parse_args()


def _open_many_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < _FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(_FILES, hard), hard))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
