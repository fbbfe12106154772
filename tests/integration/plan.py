"""A script, drawn whole from its seed: what is said, who reads it, what befalls the server."""

import random
from dataclasses import dataclass
from typing import Any

from tests.integration.scripts import flood, talk

LEAVES = ("FIN", "RST", "half-close", "stop reading", "goodbye")
"""How a reader leaves: by its socket, or politely, as far as its transport has a word for that."""

ACTS = (*LEAVES, "reload", "reload from 0", "second reader", "stop")
FATES = ("none", "none", "none", "kill", "kill", "term", "term")
PEOPLE = 2


@dataclass(frozen=True, kw_only=True)
class Act:
    """What a reader does when it has received some more."""

    name: str
    after_characters: int
    crosses: bool
    """Whether a reader that it opens comes over the other transport."""
    shares: bool
    """Whether that reader may come over a socket that the person has open already."""


@dataclass(frozen=True, kw_only=True)
class PlannedReply:
    """One reply, its first reader and what follows."""

    person: int
    steps: list[dict[str, Any]]
    policy: str
    cut_seconds: float | None
    """When the first attempt to send is given up; None where there is but one attempt."""
    cut_crosses: bool
    """Whether that attempt came over the other transport."""
    small_buffer: bool
    shares: bool
    acts: list[Act]
    reads_to_the_end: bool


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One script. Timing changes what comes of it, never what is in it."""

    seed: int
    replies: list[PlannedReply]
    fate: str
    fate_seconds: float


def draw(seed: int) -> Plan:
    """Draw the script of a seed; it is the same for every server, transport and database."""
    rng = random.Random(seed)
    fate = rng.choice(FATES)
    return Plan(
        seed=seed,
        fate=fate,
        fate_seconds=rng.uniform(0.05, 0.9),
        replies=[_reply(rng, number % PEOPLE) for number in range(rng.randint(2, 4))],
    )


def _reply(rng: random.Random, person: int) -> PlannedReply:
    if rng.random() < 0.2:
        steps = flood(rng, rng.randint(100, 250))
    else:
        steps = talk(rng, rng.randint(20, 90), rng.choice([2, 5, 10]))
    return PlannedReply(
        person=person,
        steps=steps,
        policy=rng.choice(["continue", "continue", "stop"]),
        cut_seconds=rng.uniform(0, 0.03) if rng.random() < 0.2 else None,
        cut_crosses=rng.random() < 0.3,
        small_buffer=rng.random() < 0.3,
        shares=rng.random() < 0.6,
        acts=_acts(rng),
        reads_to_the_end=rng.random() < 0.5,
    )


def _acts(rng: random.Random) -> list[Act]:
    names = rng.choices(ACTS, k=rng.randint(1, 3))
    if not set(names) & set(LEAVES):
        names.append(rng.choice(LEAVES))
    return [
        Act(
            name=name,
            after_characters=rng.randint(1, 120),
            crosses=rng.random() < 0.2,
            shares=rng.random() < 0.6,
        )
        for name in names
    ]
