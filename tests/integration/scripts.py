"""What the scripted provider is to do, as the user message that tells it."""

import json
import random
from typing import Any

WORDS = ("hold", "fast", "the line", "sea", "rope", "knot", "Wörter", "渡し船", "⚓", "𝕠𝕔𝕖𝕒𝕟", "\n")


def script(*steps: dict[str, Any]) -> str:
    """Write steps as a user message."""
    return json.dumps({"steps": steps})


def talk(rng: random.Random, pieces: int, pause_ms: float) -> list[dict[str, Any]]:
    """Steps that say different words at a steady pace, then finish."""
    steps = [
        {"repeat": 1, "text": f"{n} {' '.join(rng.choices(WORDS, k=3))} ", "pause_ms": pause_ms}
        for n in range(pieces)
    ]
    return [*steps, {"finish": "stop"}]


def flood(rng: random.Random, kilobytes: int) -> list[dict[str, Any]]:
    """Steps that say much quickly, so that a reader that does not read fills its buffers."""
    steps = [
        {"repeat": 1, "text": f"{n:04}{rng.choice('abcdefgh') * 1020}", "pause_ms": 1}
        for n in range(min(kilobytes, 16))
    ]
    rest = kilobytes - len(steps)
    if rest > 0:
        steps.append({"repeat": rest, "text": "tide" * 256, "pause_ms": 1})
    return [*steps, {"finish": "stop"}]


def said_by(steps: list[dict[str, Any]]) -> str:
    """All text of a script that runs to its end."""
    return "".join(step["text"] * _times(step) for step in steps if "text" in step)


def _times(step: dict[str, Any]) -> int:
    return int(step.get("repeat", 1) * step.get("together", 1) * step.get("grow", 1))
