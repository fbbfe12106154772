"""Search through titles and texts."""

from typing import Any
from urllib.parse import urlencode

import pytest

from conversations.searching import excerpt
from tests.conftest import Client
from tests.conversations.chatting import asked, converse, error_of


async def found(client: Client, search: str, **query: str) -> list[dict[str, Any]]:
    path = f"/api/conversations?{urlencode({'search': search, **query})}"
    response = await client.ask("GET", path)
    assert response.status_code == 200, response.content
    conversations: list[dict[str, Any]] = response.json()["conversations"]
    return conversations


@pytest.mark.parametrize(
    ("said", "search"),
    [
        ("Wie heißt der größte ÄRGER?", "ärger"),
        ("Wie heißt der größte Ärger?", "GRÖßTE äRGER"),
        ("Привет, Мир", "привет мир"),
        ("ПРИВЕТ", "Привет"),
        ("东京的天气怎么样", "天气"),
        ("Ο ΔΡΟΜΟΣ", "δρομος"),
        ("100% of C:\\temp (all)", "100% c:\\TEMP (ALL)"),
    ],
)
async def test_upper_and_lower_case_are_one_in_every_script(
    alice: Client, said: str, search: str
) -> None:
    conversation = await converse(alice, title="other")
    await asked(alice, conversation, said)
    assert [one["id"] for one in await found(alice, search)] == [conversation]
    titled = await converse(alice, title=said)
    assert titled in {one["id"] for one in await found(alice, search)}


async def test_a_hit_has_the_words_around_it_and_its_message(alice: Client) -> None:
    conversation = await converse(alice, title="Ropes")
    reply = await asked(alice, conversation, "far " * 100 + "a **Bowline** holds " + "on " * 100)
    [hit] = await found(alice, "bowline")
    assert hit["message_id"] == reply
    assert "far a Bowline holds on" in hit["excerpt"]
    assert hit["excerpt"].startswith("…") and hit["excerpt"].endswith("…")
    assert len(hit["excerpt"]) < 250
    [hit] = await found(alice, "ropes")
    assert (hit["message_id"], hit["excerpt"]) == (None, None)


async def test_every_word_has_to_be_there_in_any_order(alice: Client) -> None:
    conversation = await converse(alice, title="other")
    await asked(alice, conversation, "how to tie a bowline")
    assert [one["id"] for one in await found(alice, "bowline tie")] == [conversation]
    assert await found(alice, "bowline sheet") == []


async def test_a_search_goes_through_the_archived_too_unless_told(alice: Client) -> None:
    kept = await converse(alice, title="rope one")
    archived = await converse(alice, title="rope two")
    await alice.ask("PATCH", f"/api/conversations/{archived}", {"archived": True})
    assert {one["id"] for one in await found(alice, "rope")} == {kept, archived}
    assert [one["id"] for one in await found(alice, "rope", archived="true")] == [archived]
    assert [one["id"] for one in await found(alice, "rope", archived="false")] == [kept]


async def test_what_was_found_is_paged(alice: Client) -> None:
    ids = [await converse(alice, title=f"rope {n}") for n in range(33)]
    page = (await alice.ask("GET", "/api/conversations?search=rope")).json()
    assert [one["id"] for one in page["conversations"]] == ids[::-1][:30]
    query = urlencode({"search": "rope", "before": page["before"]})
    rest = (await alice.ask("GET", f"/api/conversations?{query}")).json()
    assert [one["id"] for one in rest["conversations"]] == ids[::-1][30:]


async def test_nobody_finds_what_is_somebody_else_s(alice: Client, bob: Client) -> None:
    conversation = await converse(alice, title="rope")
    await asked(alice, conversation, "bowline")
    assert await found(bob, "rope") == await found(bob, "bowline") == []


@pytest.mark.parametrize("search", ["x" * 201, "x" * 60_000])
async def test_a_search_that_is_too_long_is_refused(alice: Client, search: str) -> None:
    response = await alice.ask("GET", f"/api/conversations?search={search}")
    assert error_of(response) == (422, "invalid_field")
    assert response.json()["error"]["field"] == "search"


async def test_the_first_page_names_all_that_is_pinned(alice: Client) -> None:
    pinned = await converse(alice, title="pinned")
    await alice.ask("PATCH", f"/api/conversations/{pinned}", {"pinned": True})
    for number in range(31):
        await converse(alice, title=f"number {number}")
    page = (await alice.ask("GET", "/api/conversations")).json()
    assert [one["id"] for one in page["pinned"]] == [pinned]
    assert pinned not in {one["id"] for one in page["conversations"]}
    archived = (await alice.ask("GET", "/api/conversations?archived=true")).json()
    assert archived["pinned"] == []


@pytest.mark.parametrize(
    ("content", "words", "shown"),
    [
        ("a rope", ["rope"], "a rope"),
        ("## Title\n\n> a `rope` | **x**", ["rope"], "Title a rope x"),
        ("a `rope` there", ["`rope`"], "a `rope` there"),
        ("nothing of it", ["rope"], "nothing of it"),
    ],
)
def test_an_excerpt_is_one_plain_line(content: str, words: list[str], shown: str) -> None:
    assert excerpt(content, words) == shown
