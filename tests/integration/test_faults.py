"""A few faults of `make faults`, one throw each, and the law by which all of them are judged."""

import pytest

from tests.faults.catalogue import FAULTS
from tests.faults.scene import Scene
from tests.faults.verdict import Verdict
from tests.faults.worlds import WORLDS

QUICK = (
    "connections cut",
    "upstream resets",
    "client RST",
    "worker killed",
    "PostgreSQL restarted",
)
"""The worker and the database last: what comes before finds processes that never died."""


@pytest.mark.postgresql
@pytest.mark.timeout(240)
async def test_nothing_is_lost_doubled_or_endless_whatever_breaks() -> None:
    async with WORLDS["postgresql"]() as world:
        for name in QUICK:
            fault = FAULTS[name]
            verdict = await Scene(world, fault, 1, ("sse", "socket"), min(4, fault.replies)).play()
            assert verdict.is_clean, f"{name}: {verdict.story()}"
            assert verdict.readers["sse"] and verdict.readers["socket"]


@pytest.mark.parametrize(
    ("shown", "stored", "whole", "lost", "doubled"),
    [
        ("0 rope 1 sea ", "0 rope 1 sea ", True, 0, 0),
        ("0 rope ", "0 rope 1 sea ", False, 0, 0),
        ("0 rope ", "0 rope 1 sea ", True, 6, 0),
        ("0 rope 1 sea ", "0 rope ", False, 6, 0),
        ("0 rope 2 sun ", "0 rope 1 sea 2 sun ", True, 6, 0),
        ("0 rope 1 sea 1 sea ", "0 rope 1 sea ", True, 0, 6),
        ("0 rope x1 sea ", "0 rope 1 sea ", True, 1, 0),
    ],
)
def test_each_character_that_is_missing_or_comes_twice_is_counted(
    shown: str, stored: str, whole: bool, lost: int, doubled: int
) -> None:
    verdict = Verdict()
    verdict.hold(shown, stored, whole=whole)
    assert (verdict.lost, verdict.doubled) == (lost, doubled)
    assert verdict.is_clean is (lost == doubled == 0)
