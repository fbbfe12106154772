"""The scripted provider does what the question says, step by step."""

import asyncio
import json

import pytest

from conversations.providers.scripted import ScriptedProvider
from streaming.source import Finish, Progress, Reasoning, Text, Usage
from tests.conversations.providers.conftest import ask, read


@pytest.fixture
def provider(tmp_path):
    return ScriptedProvider("scripted", {"gate_directory": str(tmp_path)})


async def play(provider, *steps, said=None):
    return await read(provider.stream(ask(json.dumps(steps), said=said)))


async def test_every_kind_of_step(provider):
    found = await play(
        provider,
        {"reasoning": "hm"},
        {"text": "a", "repeat": 2, "pause_ms": 1},
        {"pause_ms": 1},
        {"usage": [3, 5]},
        {"progress": True},
        {"finish": "length"},
        {"text": "never"},
    )
    assert found.items == [
        Reasoning("hm"),
        Text("a"),
        Text("a"),
        Usage(3, 5),
        Progress(),
        Finish("length"),
    ]


async def test_steps_may_be_wrapped(provider):
    found = await read(provider.stream(ask(json.dumps({"steps": [{"text": "a"}]}))))
    assert found.items == [Text("a"), Finish("stop")]


@pytest.mark.parametrize("asked", ["Hello, you all", "17", '{"a": 1}', "[1, 2]", "[broken", '"x"'])
async def test_other_questions_are_said_back(provider, asked):
    found = await read(provider.stream(ask(asked)))
    assert found.text == asked
    assert all(len(item.text) <= 5 for item in found.items[:-1])


async def test_failure_has_the_reason_it_is_given(provider):
    found = await play(provider, {"text": "a"}, {"fail": "upstream_reset"})
    assert (found.text, found.reason) == ("a", "upstream_reset")


async def test_exception_is_real(provider):
    with pytest.raises(RuntimeError, match="boom"):
        await play(provider, {"raise": "boom"})


async def test_end_without_finish(provider):
    assert (await play(provider, {"text": "a"}, {"end": True}, {"text": "b"})).items == [Text("a")]


async def test_stall_is_only_ended_by_cancellation(provider):
    task = asyncio.create_task(play(provider, {"stall": True}))
    done, _ = await asyncio.wait([task], timeout=0.05)
    assert not done
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_gate_holds_until_its_file_is_there(provider, tmp_path):
    source = provider.stream(ask(json.dumps([{"text": "a"}, {"gate": "g"}, {"text": "b"}])))
    assert await anext(source) == Text("a")
    task = asyncio.create_task(read(source))
    done, _ = await asyncio.wait([task], timeout=0.05)
    assert not done
    (tmp_path / "g").touch()
    async with asyncio.timeout(5):
        assert (await task).text == "b"


async def test_gate_outside_the_directory_is_not_reached(provider, tmp_path):
    (tmp_path / "passwd").touch()
    async with asyncio.timeout(5):
        assert (await play(provider, {"gate": "../../etc/passwd"})).reason == "completed:stop"


@pytest.mark.parametrize("cut", range(1, 7))
async def test_continuation_says_the_rest(provider, cut):
    steps = [{"reasoning": "hm"}, {"text": "abc"}, {"text": "d", "repeat": 3}, {"finish": "length"}]
    found = await play(provider, *steps, said="abcddd"[:cut])
    assert "abcddd"[:cut] + found.text == "abcddd"
    assert not found.reasoning


async def test_continuation_of_an_echo(provider):
    assert (await read(provider.stream(ask("Hello you", said="Hello ")))).text == "you"


@pytest.mark.parametrize(
    "end", [{"fail": "upstream_reset"}, {"raise": "x"}, {"stall": True}, {"finish": "length"}]
)
async def test_continuation_passes_what_ended_the_first_attempt(provider, end):
    found = await play(provider, {"text": "ab"}, end, {"text": "c"}, said="ab")
    assert (found.text, found.reason) == ("c", "completed:stop")


async def test_continuation_fails_where_the_script_says_so_later(provider):
    steps = [{"text": "ab"}, {"text": "c"}, {"fail": "upstream_error"}]
    assert (await play(provider, *steps, said="ab")).reason == "upstream_error"


def test_check_warns_without_gates(provider):
    assert provider.check() == []
    [found] = ScriptedProvider("scripted", {"gate_directory": "/nowhere"}).check()
    assert found.id == "holdfast_conversations.W010"
