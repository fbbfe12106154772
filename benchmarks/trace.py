"""A DevTools trace, read for one thing: what the page's main thread did, and for how long."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

CATEGORIES = ["toplevel", "devtools.timeline", "__metadata"]

_ASKED = "blink.mojom.DevToolsSession"
"""What the measuring itself asks of the page is no cost of the page's."""

_MICROTASKS = "BlinkScheduler_PerformMicrotaskCheckpoint"
_KINDS = {
    "layout": ("Layout", "UpdateLayoutTree", "IntersectionObserverController", "HitTest"),
    "paint": ("PrePaint", "Paint", "Layerize", "Commit", "UpdateLayer", "CompositeLayers"),
    "script": (
        *("FunctionCall", "EvaluateScript", "v8.", "RunMicrotasks", _MICROTASKS, "TimerFire"),
        *("EventDispatch", "SimpleWatcher"),
        *("FireAnimationFrame", "FireIdleCallback", "V8.", "MinorGC", "MajorGC", "ParseHTML"),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What the main thread did, in seconds of its CPU time, without what other programs took."""

    total: float
    longest: float
    longest_by_clock: float
    """The longest task as a person felt it, with what other programs took meanwhile."""
    seconds: float
    """From the first task to the last, by the clock."""
    frames: int
    """How often the browser drew the page: for new text, and for all else that changes it."""
    kinds: Counter[str]
    """Script, layout (with styles), paint, and what is neither."""
    names: Counter[str]
    """The same by the names of the trace, without what is inside."""
    worst: Counter[str]
    """What the longest task consisted of."""


@dataclass(slots=True)
class _Task:
    begun: float
    """By the clock, in microseconds, as `ended`."""
    ended: float
    cpu: float
    is_asked: bool = False


def cost_of(events: list[dict[str, Any]]) -> Cost:
    """Read the busiest main thread of a trace: the page's."""
    ours = _main_thread(events)
    asked = [task for task in _tasks(ours) if task.is_asked]
    tasks = [task for task in _tasks(ours) if not task.is_asked]
    longest = max(tasks, key=lambda task: task.cpu)
    names, worst = Counter[str](), Counter[str]()
    for event, own in _own_times(ours):
        if any(task.begun <= event["ts"] < task.ended for task in asked):
            continue
        names[event["name"]] += own
        if longest.begun <= event["ts"] < longest.ended:
            worst[event["name"]] += own
    kinds = Counter[str]()
    for name, own in names.items():
        kinds[_kind_of(name)] += own
    return Cost(
        total=sum(task.cpu for task in tasks),
        longest=longest.cpu,
        longest_by_clock=max(task.ended - task.begun for task in tasks) / 1e6,
        seconds=(tasks[-1].ended - tasks[0].begun) / 1e6,
        frames=sum(event["name"] == "Layerize" for event in ours),
        kinds=kinds,
        names=names,
        worst=worst,
    )


def _main_thread(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    mains = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    by_thread = defaultdict[tuple[int, int], list[dict[str, Any]]](list)
    for event in events:
        thread = event["pid"], event["tid"]
        if event["ph"] == "X" and thread in mains:
            by_thread[thread].append(event)
    return max(by_thread.values(), key=lambda some: sum(event["dur"] for event in some))


def _tasks(events: list[dict[str, Any]]) -> list[_Task]:
    """What is inside nothing else; microtasks behind a task stand beside it, and belong to it."""
    tasks: list[_Task] = []
    for event in sorted(events, key=lambda one: (one["ts"], -one["dur"])):
        end = event["ts"] + event["dur"]
        if tasks and event["ts"] < tasks[-1].ended:
            tasks[-1].is_asked |= _ASKED in str(event.get("args"))
            continue
        if tasks and event["name"] == _MICROTASKS:
            tasks[-1].ended, tasks[-1].cpu = end, tasks[-1].cpu + _cpu(event)
        else:
            tasks.append(_Task(event["ts"], end, _cpu(event)))
    return tasks


def _own_times(events: list[dict[str, Any]]) -> list[tuple[dict[str, Any], float]]:
    """Each event with its time, without that of the events inside it."""
    own = {id(event): _cpu(event) for event in events}
    around: list[dict[str, Any]] = []
    for event in sorted(events, key=lambda one: (one["ts"], -one["dur"])):
        while around and event["ts"] >= around[-1]["ts"] + around[-1]["dur"]:
            around.pop()
        if around:
            own[id(around[-1])] -= _cpu(event)
        around.append(event)
    return [(event, max(own[id(event)], 0.0)) for event in events]


def _cpu(event: dict[str, Any]) -> float:
    return float(event.get("tdur", event["dur"])) / 1e6


def _kind_of(name: str) -> str:
    for kind, starts in _KINDS.items():
        if name.startswith(starts):
            return kind
    return "other"
