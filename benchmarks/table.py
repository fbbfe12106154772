"""The table that a run prints."""

from collections.abc import Sequence
from dataclasses import dataclass, field

COLUMNS = (
    ("load", "load"),
    ("server", "server"),
    ("cpu", "CPU µs/token"),
    ("of_c", "÷ (c)"),
    ("of_d", "÷ (d)"),
    ("of_e", "÷ (e)"),
    ("lag", "lag ms p50/p99"),
    ("first", "first token ms p50/p99"),
    ("start", "CPU ms/start"),
    ("busy", "core"),
    ("memory", "kB/stream"),
    ("threads", "threads"),
    ("connections", "db"),
)


@dataclass(kw_only=True)
class Row:
    """What was measured of one server under one load."""

    key: str
    name: str
    load: str
    cpu_per_token: float | None = None
    """Microseconds of the server process, while all streams were open."""
    cpu_per_start: float | None = None
    """Milliseconds per stream while they were opened, without its tokens."""
    busy: float | None = None
    """Share of one core."""
    delivered: float = 1.0
    """Tokens that reached readers, of those that are said; below 1 the server fell behind."""
    kept_up: bool = True
    """False where streams were refused, broke off, or had no token after a minute and a half."""
    lags: Sequence[int] = field(default_factory=list)
    firsts: Sequence[int] = field(default_factory=list)
    memory: float | None = None
    threads: int = 0
    connections: int = 0


def print_table(rows: Sequence[Row]) -> None:
    """Print the rows, as Markdown."""
    cells = [dict(COLUMNS)]
    cells += [_cells(row, rows) for row in rows]
    widths = {key: max(len(line[key]) for line in cells) for key, _ in COLUMNS}
    for number, line in enumerate(cells):
        print("| " + " | ".join(line[key].ljust(widths[key]) for key, _ in COLUMNS) + " |")
        if number == 0:
            print("|" + "|".join("-" * (widths[key] + 2) for key, _ in COLUMNS) + "|")


def _cells(row: Row, rows: Sequence[Row]) -> dict[str, str]:
    cpu = row.cpu_per_token
    ratios = {f"of_{key}": _ratio(cpu, key, row, rows) for key in "cde"}
    busy = "" if row.busy is None else f"{row.busy:.2f}"
    if not row.kept_up:
        busy = "did not keep up"
    elif row.delivered < 0.97:
        busy += f", behind: {row.delivered:.0%}"
    return {
        "load": row.load,
        "server": f"({row.key}) {row.name}",
        "cpu": "" if cpu is None else f"{cpu:.0f}",
        **ratios,
        "lag": _percentiles(row.lags),
        "first": _percentiles(row.firsts),
        "start": "" if row.cpu_per_start is None else f"{row.cpu_per_start:.1f}",
        "busy": busy,
        "memory": "" if row.memory is None else f"{row.memory / 1000:.0f}",
        "threads": str(row.threads),
        "connections": str(row.connections),
    }


def _ratio(cpu: float | None, key: str, row: Row, rows: Sequence[Row]) -> str:
    others = [other for other in rows if other.load == row.load and other.key == key]
    if cpu is None or not others or not others[0].cpu_per_token or key == row.key:
        return ""
    return f"{cpu / others[0].cpu_per_token:.2f}"


def _percentiles(values: Sequence[int]) -> str:
    if not values:
        return ""
    p50, p99 = (values[min(int(len(values) * p), len(values) - 1)] / 1000 for p in (0.5, 0.99))
    return f"{p50:.1f} / {p99:.1f}"
