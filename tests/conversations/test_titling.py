"""Titles that are made of first questions."""

import pytest

from conversations.titling import title_of
from tests.conftest import Client
from tests.conversations.chatting import asked, converse


@pytest.mark.parametrize(
    ("content", "title"),
    [
        ("Hello", "Hello"),
        ("  two\n lines ", "two lines"),
        ("word " * 30, "word " * 11 + "word…"),
        ("x" * 100, "x" * 60 + "…"),
    ],
)
def test_a_title_is_the_first_words(content: str, title: str) -> None:
    assert title_of(content) == title


@pytest.mark.parametrize(
    ("content", "title"),
    [
        ("# Help me\n\nplease", "Help me please"),
        ("**Why** is `ls -l` so *slow*?", "Why is ls -l so slow?"),
        ("> - [x] quoted\n> - [ ] task", "quoted task"),
        ("Fix this:\n```py\nx = 1\n```\nnow", "Fix this: now"),
        ("Fix this:\n~~~\nx = 1", "Fix this:"),
        ("Sum up [the page](https://a.example/x?y=1) please", "Sum up the page please"),
        ("Sum up https://a.example/x?y=1 please", "Sum up please"),
        ("<p>What <b>is</b> List<String>?</p>", "What is List<String>?"),
        ("![a chart](data:image/png;base64,AAAA) what is it", "a chart what is it"),
        ("2 * 3 * 4 and snake_case_name", "2 * 3 * 4 and snake_case_name"),
    ],
)
def test_a_title_has_no_markup_addresses_or_code(content: str, title: str) -> None:
    assert title_of(content) == title


@pytest.mark.parametrize(
    ("content", "title"),
    [
        ("What is the capital of France? " + "I ask for a friend. " * 9,
         "What is the capital of France?"),
        ("Explain the tides. " + "Please do it with a small table and few words. " * 2,
         "Explain the tides"),
        ("法国的首都是哪里？" + "我想为朋友写一篇关于欧洲各国首都的文章。" * 5,
         "法国的首都是哪里？"),
        ("你好！" + "法国的首都在哪里" * 9, "你好！" + ("法国的首都在哪里" * 9)[:57] + "…"),
        ("Hm. " + "word " * 30, "Hm. " + "word " * 10 + "word…"),
    ],
)  # fmt: skip
def test_a_long_question_is_titled_by_its_first_sentence(content: str, title: str) -> None:
    assert title_of(content) == title


@pytest.mark.parametrize("content", ["```\nx = 1\n```", "https://a.example/", "---", "<br>"])
def test_what_is_nothing_but_markup_is_its_own_title(content: str) -> None:
    assert title_of(content) == " ".join(content.split())


def test_no_character_is_cut_in_two() -> None:
    family = "👩\u200d👩\u200d👧"
    assert title_of("x" * 58 + family * 5) == "x" * 58 + "…"
    assert title_of("x" * 59 + "e\u0301" * 9) == "x" * 59 + "…"


def test_the_longest_question_is_titled_at_once() -> None:
    for hostile in ("[" * 200_000, "*_" * 100_000, "`" * 200_000, "<p " * 60_000, "> " * 90_000):
        assert len(title_of(hostile)) <= 61


async def test_a_title_that_a_person_gave_stays(alice: Client) -> None:
    given = await converse(alice, title="Mine")
    await asked(alice, given, "What is the capital of France?")
    path = f"/api/conversations/{given}"
    assert (await alice.ask("GET", path)).json()["title"] == "Mine"
    made = await converse(alice)
    path = f"/api/conversations/{made}"
    await asked(alice, made, "**What** is this?")
    assert (await alice.ask("GET", path)).json()["title"] == "What is this?"
    await alice.ask("PATCH", path, {"title": "Mine, too"})
    await asked(alice, made, "And that?")
    assert (await alice.ask("GET", path)).json()["title"] == "Mine, too"
