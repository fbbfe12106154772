"""The seam: what a continuation repeats is cut, and nothing else."""

from collections.abc import Iterable

import pytest

from conversations.joining import HELD_CHARACTERS, Seam, joined, rethought
from streaming.source import Finish, Item, Progress, Reasoning, Source, SourceFailed, Text, Usage

SAID = "The tide turns twice a day.\nThe moon draws the water towards"
REST = " itself, and the sea follows."


def through(said: str, pieces: Iterable[str]) -> str:
    seam = Seam(said)
    return "".join([*(seam.take(piece) for piece in pieces), seam.close()])


@pytest.mark.parametrize(
    "repeated", ["draws the water towards", "The moon draws the water towards"]
)
def test_a_repeated_end_is_cut_however_it_is_split(repeated: str) -> None:
    text = repeated + REST
    assert through(SAID, list(text)) == REST
    for at in range(len(text) + 1):
        assert through(SAID, [text[:at], text[at:]]) == REST, at
        for second in range(at, len(text) + 1, 3):
            assert through(SAID, [text[:at], text[at:second], text[second:]]) == REST


@pytest.mark.parametrize(
    ("said", "text", "rest"),
    [
        (SAID, "\n\n" + "The moon draws the water towards" + REST, REST),
        (SAID, "twice a day. The moon draws the\nwater towards" + REST, REST),
        (SAID + " ", "draws the water towards" + REST, REST[1:]),
        ("we went out to the harb", "out to the harbour at dawn", "our at dawn"),
        ("一艘船在港口等待潮水", "在港口等待潮水上涨", "上涨"),
        (SAID, SAID, ""),
    ],
)
def test_a_repetition_is_found_wherever_its_white_space_lies(
    said: str, text: str, rest: str
) -> None:
    for size in (1, 3, 1000):
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        assert through(said, pieces) == rest


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (SAID, REST),
        (SAID, "towards itself"),
        (SAID, "water towards itself"),
        (SAID, "The moon draws the water away"),
        (SAID, "The tide turns twice a day."),
        ("}\n  }\n}\n", "}\n  }\n}\nend"),
        ("and on and", "and on and off"[4:]),
        ("潮水", "潮水上涨"),
        ("x", "x"),
        ("   ", "  text"),
    ],
)
def test_what_is_no_repetition_of_some_words_is_kept_whole(said: str, text: str) -> None:
    for size in (1, 2, 1000):
        assert through(said, [text[at : at + size] for at in range(0, len(text), size)]) == text


def test_no_more_than_the_bound_is_held_back() -> None:
    seam = Seam("na " * HELD_CHARACTERS)
    held = 0
    while not seam.take("na "):
        held += 3
        assert held <= HELD_CHARACTERS + 3


async def played(*items: Item | Exception) -> Source:
    for item in items:
        if isinstance(item, Exception):
            raise item
        yield item


async def test_a_source_goes_on_as_it_was_but_for_the_repetition() -> None:
    source = played(
        Reasoning("hm"),
        Text("draws the water "),
        Text("towards"),
        Text(REST),
        Usage(1, 2),
        Finish(),
    )
    heard = [item async for item in joined(source, SAID)]
    assert heard == [
        Reasoning("hm"), Progress(), Progress(), Text(REST), Usage(1, 2), Finish()
    ]  # fmt: skip


@pytest.mark.parametrize("end", [Finish(), None])
async def test_what_is_held_back_at_the_end_is_given(end: Finish | None) -> None:
    items = [Text("The moon"), *([end] if end else [])]
    heard = [item async for item in joined(played(*items), SAID)]
    assert heard == [Progress(), Text("The moon"), *([end] if end else [])]


async def test_what_is_held_back_at_a_failure_is_given_first() -> None:
    heard: list[Item] = []
    with pytest.raises(SourceFailed):
        async for item in joined(played(Text("The moon"), SourceFailed("no_progress")), SAID):
            heard.append(item)
    assert heard == [Progress(), Text("The moon")]


async def test_a_source_that_is_left_is_closed() -> None:
    closed = []

    async def source() -> Source:
        try:
            yield Text("first words of many")
            yield Text("never heard")
        finally:
            closed.append(True)

    items = joined(source(), SAID)
    await anext(items)
    await items.aclose()
    assert closed == [True]


async def rethink(thought: str, *items: Item) -> list[Item]:
    async def source() -> Source:
        for item in items:
            yield item

    return [item async for item in rethought(source(), thought) if item != Progress()]


async def test_a_thought_in_the_same_words_goes_on_where_it_was_cut() -> None:
    said = [Reasoning("on the "), Reasoning("one hand"), Reasoning(", or not"), Text("so")]
    found = await rethink("on the one", *said)
    assert found == [Reasoning(" hand"), Reasoning(", or not"), Text("so")]


async def test_another_thought_stands_behind_the_first() -> None:
    found = await rethink("on the one hand", Reasoning("on the "), Reasoning("whole"), Text("so"))
    assert found == [Reasoning("\n\non the whole"), Text("so")]


async def test_a_thought_that_is_not_gone_on_with_stays_cut() -> None:
    assert await rethink("on the one hand", Reasoning("on the one"), Text("so")) == [Text("so")]
    assert await rethink("on", Text("so"), Reasoning("on")) == [Text("so"), Reasoning("on")]
