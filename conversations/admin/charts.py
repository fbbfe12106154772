"""Charts as SVG: plain rectangles and lines, drawn here, coloured by a style sheet. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

WIDTH = 720
HEIGHT = 200
_LEFT = 56
_BOTTOM = 24
_TOP = 8
_TICKS = 4
_LABELS = 7


class Bar(NamedTuple):
    """A rectangle of a series."""

    x: float
    y: float
    width: float
    height: float
    series: int
    title: str


class Line(NamedTuple):
    """A series as points, broken where nothing is known."""

    series: int
    paths: list[str]
    dots: list[tuple[float, float, str]]


class Tick(NamedTuple):
    """A number at an axis."""

    at: float
    text: str


@dataclass(frozen=True)
class Chart:
    """Everything that the template draws."""

    title: str
    unit: str
    names: list[str]
    bars: list[Bar]
    lines: list[Line]
    rows: list[Tick]
    columns: list[Tick]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    base: int = HEIGHT - _BOTTOM


Series = tuple[str, Sequence[float | None]]


def stacked(
    title: str, labels: Sequence[str], series: Sequence[Series], *, unit: str = ""
) -> Chart:
    """Draw bars, one upon the other, for each label."""
    totals = [sum(values[at] or 0 for _, values in series) for at in range(len(labels))]
    top = _nice(max(totals, default=0))
    step = (WIDTH - _LEFT) / max(len(labels), 1)
    gap = min(2.0, step * 0.2)
    bars = []
    for at, label in enumerate(labels):
        reached = 0.0
        for number, (name, values) in enumerate(series):
            value = values[at] or 0
            if value:
                y, below = _y(reached + value, top), _y(reached, top)
                said = f"{label}: {name} {_short(value)} {unit}".rstrip()
                x = round(_LEFT + at * step + gap / 2, 2)
                bars.append(
                    Bar(x, y, round(step - gap, 2), round(max(below - y, 0.5), 2), number, said)
                )
                reached += value
    names = [name for name, _ in series]
    return Chart(title, unit, names, bars, [], _rows(top), _columns(labels, step))


def lines(title: str, labels: Sequence[str], series: Sequence[Series], *, unit: str = "") -> Chart:
    """Draw a line for each series."""
    known = [value for _, values in series for value in values if value is not None]
    top = _nice(max(known, default=0))
    step = (WIDTH - _LEFT) / max(len(labels), 1)
    drawn = []
    for number, (name, values) in enumerate(series):
        paths: list[str] = []
        dots: list[tuple[float, float, str]] = []
        open_path: list[str] = []
        for at, value in enumerate(values):
            if value is None:
                paths, open_path = [*paths, " ".join(open_path)] if open_path else paths, []
                continue
            x, y = round(_LEFT + (at + 0.5) * step, 2), _y(value, top)
            open_path.append(f"{'L' if open_path else 'M'}{x} {y}")
            dots.append((x, y, f"{labels[at]}: {name} {_short(value)} {unit}".rstrip()))
        paths = [*paths, " ".join(open_path)] if open_path else paths
        drawn.append(Line(number, paths, dots))
    names = [name for name, _ in series]
    return Chart(title, unit, names, [], drawn, _rows(top), _columns(labels, step))


def _y(value: float, top: float) -> float:
    return round(HEIGHT - _BOTTOM - value / top * (HEIGHT - _BOTTOM - _TOP), 2)


def _rows(top: float) -> list[Tick]:
    return [Tick(_y(top * at / _TICKS, top), _short(top * at / _TICKS)) for at in range(_TICKS + 1)]


def _columns(labels: Sequence[str], step: float) -> list[Tick]:
    every = max(1, -(-len(labels) // _LABELS))
    return [
        Tick(round(_LEFT + (at + 0.5) * step, 2), label)
        for at, label in enumerate(labels)
        if at % every == 0
    ]


def _nice(value: float) -> float:
    """Return the least round number that is not below a value."""
    if value <= 0:
        return float(_TICKS)
    power = 1.0
    while power * 10 <= value:
        power *= 10
    while power > value:
        power /= 10
    for step in (1, 2, 4, 5, 8, 10):
        if power * step >= value:
            return power * step
    return power * 10


def _short(value: float) -> str:
    for size, mark in ((1_000_000_000, "G"), (1_000_000, "M"), (10_000, "k")):
        if value >= size:
            return f"{value / (1000 if mark == 'k' else size):.4g}{mark}"
    return f"{value:,.4g}" if value < 10_000 and value != int(value) else f"{int(value)}"
