"""The table: one row per fault."""

import statistics

from tests.faults.verdict import Verdict

COLUMNS = {
    "fault": 24,
    "thrown": 6,
    "readers": 14,
    "replies": 7,
    "connections": 11,
    "looks": 5,
    "lost": 4,
    "doubled": 7,
    "endless": 7,
    "other": 5,
    "ERROR": 5,
    "recovery p50 / max": 18,
    "seconds": 7,
}


def head() -> str:
    """The names of the columns."""
    return line({name: name for name in COLUMNS})


def row(name: str, verdict: Verdict, seconds: float) -> str:
    """One fault."""
    silences = verdict.silences
    recovery = f"{statistics.median(silences):.2f} / {max(silences):.2f} s" if silences else "-"
    by_transport = verdict.readers
    return line(
        {
            "fault": name,
            "thrown": verdict.injected,
            "readers": f"{by_transport['sse']} + {by_transport['socket']}",
            "replies": verdict.replies,
            "connections": verdict.connections,
            "looks": verdict.looks,
            "lost": verdict.lost,
            "doubled": verdict.doubled,
            "endless": verdict.endless,
            "other": len(verdict.other),
            "ERROR": len(verdict.errors),
            "recovery p50 / max": recovery,
            "seconds": round(seconds),
        }
    )


def line(cell: dict[str, object]) -> str:
    """Lay out one row."""
    texts = []
    for name, width in COLUMNS.items():
        text = str(cell.get(name, ""))
        texts.append(text.ljust(width) if name == "fault" else text.rjust(width))
    return "  ".join(texts).rstrip()
