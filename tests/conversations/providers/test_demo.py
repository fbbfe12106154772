"""The demo says the same text to everybody, and says so."""

import asyncio
import re

import pytest

from conversations.providers.demo import DemoProvider
from streaming.source import Finish, Reasoning, Text, Usage
from tests.conversations.providers.conftest import ask, read


@pytest.fixture
def provider():
    return DemoProvider("demo", {"tokens_per_second": 0})


async def test_reply_is_markdown_worth_reading(provider):
    text = (await read(provider.stream(ask("Hello there")))).text
    assert re.search(r"^## ", text, re.M)
    assert re.search(r"^```python\n.*?^```$", text, re.M | re.S)
    assert re.search(r"^\| --- \|", text, re.M)
    assert re.search(r"^1\. ", text, re.M)
    assert 1_000 < len(text) < 2_000


async def test_reply_names_the_question_and_says_that_it_is_a_demo(provider):
    text = (await read(provider.stream(ask("Hello\nthere {topic}")))).text
    assert "> Hello there {topic}\n" in text
    assert "No model has read your question" in text


async def test_long_question_is_shortened(provider):
    text = (await read(provider.stream(ask("word " * 500)))).text
    assert len(text) < 2_000


async def test_code_in_the_reply_is_valid(provider):
    text = (await read(provider.stream(ask("Hi")))).text
    code = re.search(r"```python\n(.*?)```", text, re.S)[1]
    compile(code, "demo", "exec")


@pytest.mark.parametrize("asked", ["Think first.", "What is your reasoning?", "Step by step!"])
async def test_reasoning_comes_first_when_asked_for(provider, asked):
    found = await read(provider.stream(ask(asked)))
    kinds = [type(item) for item in found.items[:-2]]
    assert kinds == sorted(kinds, key=lambda kind: kind is Text)
    assert found.reasoning


async def test_no_reasoning_unless_asked_for(provider):
    found = await read(provider.stream(ask("Hello")))
    assert not any(isinstance(item, Reasoning) for item in found.items)


async def test_usage_counts_words_and_comes_before_the_finish(provider):
    found = await read(provider.stream(ask("one two three")))
    assert found.items[-2:] == [Usage(3, len(found.items) - 2), Finish("stop")]


@pytest.mark.parametrize("limit", [0, 1, 7])
async def test_limit_ends_the_reply_as_length(provider, limit):
    found = await read(provider.stream(ask("Hello", max_output_tokens=limit)))
    assert found.items[-2:] == [Usage(1, limit), Finish("length")]
    assert len(found.items) == limit + 2


async def test_exact_limit_is_no_cut(provider):
    whole = await read(provider.stream(ask("Hello")))
    words = len(whole.items) - 2
    again = await read(provider.stream(ask("Hello", max_output_tokens=words)))
    assert again.items == whole.items


@pytest.mark.parametrize("cut", [1, 10, 700])
async def test_cut_reply_goes_on_where_it_stopped(provider, cut):
    whole = (await read(provider.stream(ask("Think about it")))).text
    rest = await read(provider.stream(ask("Think about it", said=whole[:cut])))
    assert whole[:cut] + rest.text == whole
    assert not rest.reasoning


async def test_reply_of_another_model_is_not_mangled(provider):
    rest = await read(provider.stream(ask("Hi", said="Something else")))
    assert rest.text.startswith("\n\n## ")


async def test_pace_is_kept():
    provider = DemoProvider("demo", {"tokens_per_second": 100})
    began = asyncio.get_running_loop().time()
    await read(provider.stream(ask("Hi", max_output_tokens=20)))
    assert asyncio.get_running_loop().time() - began >= 0.19


def test_check_refuses_a_negative_pace(provider):
    assert provider.check() == []
    [found] = DemoProvider("demo", {"tokens_per_second": -1}).check()
    assert found.id == "holdfast_conversations.E010"
