"""Sources that rest after what they have read go on at the journal's next turn, and surely."""

import asyncio

import pytest

from streaming import pacing
from streaming.pacing import Pace
from streaming.source import Finish, Item, Progress, Source, Text
from streaming.workers import LocalWorker
from tests.streaming.behind import refusing_writes
from tests.streaming.production import begin, settled
from tests.waiting import until


class Resting:
    """A source that rests after each item."""

    def __init__(self, *items: Item) -> None:
        self._items = items
        self.rests = 0

    async def stream(self) -> Source:
        pace = pacing.current()
        assert pace is not None
        for item in self._items:
            yield item
            turn = asyncio.Event()
            pace.rest(turn.set)
            await turn.wait()
            self.rests += 1
        yield Finish()


def test_a_turn_is_asked_for_once_however_many_rest_and_moves_each_on_once() -> None:
    asked: list[str] = []
    moved: list[int] = []
    pace = Pace(lambda: asked.append("turn"))
    for number in range(3):
        pace.rest(lambda number=number: moved.append(number))  # type: ignore[misc]
    assert asked == ["turn"] and pace.wanted and not moved
    pace.turn()
    pace.turn()
    assert moved == [0, 1, 2] and not pace.wanted


async def test_a_source_that_rests_after_each_piece_is_read_to_its_end(worker: LocalWorker) -> None:
    pieces = [Text(f"{number} ") for number in range(30)]
    source = Resting(*pieces)
    run = await begin(worker, source.stream())
    assert (await settled(run)).content == "".join(piece.text for piece in pieces)
    assert source.rests == 30


async def test_a_source_that_says_nothing_to_store_goes_on_too(worker: LocalWorker) -> None:
    run = await begin(worker, Resting(Progress(), Progress(), Text("at last")).stream())
    assert (await settled(run)).content == "at last"


async def test_a_source_goes_on_while_storage_lets_no_commit_through(worker: LocalWorker) -> None:
    """It must not hang up on an upstream that would hang up on us, and what comes is kept."""
    gate = asyncio.Event()
    source = Resting(Text("one "), Text("two "), Text("three"))

    async def behind_gate() -> Source:
        await gate.wait()
        async for item in source.stream():
            yield item

    run = await begin(worker, behind_gate())
    with refusing_writes():
        gate.set()
        await until(lambda: source.rests == 3)
        assert not run.transcript.end.part
    assert (await settled(run)).content == "one two three"


@pytest.mark.usefixtures("worker")
async def test_nothing_paces_a_source_that_is_read_for_no_run() -> None:
    assert pacing.current() is None
