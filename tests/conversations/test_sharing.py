"""Shares: a snapshot by link, for anybody; brought up to date and taken back by its owner."""

import json
import re
import threading
from typing import Any

import pytest
from pytest_django import Settings

from conversations.models import Share
from streaming import threads
from tests.conftest import Client
from tests.conversations.chatting import asked, converse, error_of, script, send
from tests.waiting import until

SAID = {"text": "Over, under & <through>"}


async def shared(client: Client, conversation: str, **body: Any) -> dict[str, Any]:
    response = await client.ask("POST", f"/api/conversations/{conversation}/share", body)
    assert response.status_code in (200, 201), response.content
    share: dict[str, Any] = response.json()
    return share


async def page_of(client: Client, share: dict[str, Any]) -> Any:
    return await client.ask("GET", f"/s/{share['token']}")


@pytest.fixture
async def hers(alice: Client) -> str:
    """A conversation with one question and its reply."""
    conversation = await converse(alice, title="Knots", system_prompt="Secretly a sailor.")
    await asked(alice, conversation, script({"reasoning": "A bowline, then."}, SAID))
    return conversation


async def test_whoever_has_the_link_reads_the_snapshot(
    alice: Client, charlie: Client, hers: str
) -> None:
    share = await shared(alice, hers)
    assert set(share) == {
        "url", "token", "title", "description", "indexable", "reasoning", "messages", "created_at",
    }  # fmt: skip
    assert (share["title"], share["messages"]) == ("Knots", 2)
    assert share["url"] == f"http://testserver/s/{share['token']}"
    response = await page_of(charlie, share)
    assert response.status_code == 200
    text = response.content.decode()
    assert "<title>Knots" in text
    assert "Over, under &amp; &lt;through&gt;" in text
    assert len(re.findall("<article", text)) == 2


_rendered_in: list[int] = []


def note_thread(request: Any) -> dict[str, Any]:
    """A context processor: which thread makes the page."""
    _rendered_in.append(threading.get_ident())
    return {}


async def test_a_page_is_made_beside_the_event_loop(
    alice: Client, charlie: Client, hers: str, settings: Settings
) -> None:
    share = await shared(alice, hers)
    [engine] = settings.TEMPLATES
    processors = [*engine["OPTIONS"]["context_processors"], f"{__name__}.note_thread"]
    settings.TEMPLATES = [{**engine, "OPTIONS": {"context_processors": processors}}]
    _rendered_in.clear()
    assert (await page_of(charlie, share)).status_code == 200
    assert _rendered_in and threading.get_ident() not in _rendered_in


async def test_a_token_has_256_bits_and_is_never_used_twice(alice: Client) -> None:
    tokens = set()
    for _ in range(3):
        conversation = await converse(alice)
        await asked(alice, conversation, script(SAID))
        tokens.add((await shared(alice, conversation))["token"])
    assert len(tokens) == 3
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", token) for token in tokens)


async def test_a_snapshot_names_nobody_and_keeps_the_system_prompt(
    alice: Client, charlie: Client, hers: str
) -> None:
    share = await shared(alice, hers)
    text = (await page_of(charlie, share)).content.decode()
    shown = (await threads.read(Share.objects.get)).messages
    for secret in (hers, "Secretly a sailor", "alice"):
        assert secret not in text
        assert secret not in json.dumps(shown)
    assert [set(message) for message in shown] == [
        {"role", "content", "model", "created_at", "files"}
    ] * 2
    assert 'class="reasoning"' not in text


async def test_reasoning_is_shown_where_its_owner_chose_so(
    alice: Client, charlie: Client, hers: str
) -> None:
    share = await shared(alice, hers, reasoning=True)
    assert share["reasoning"] is True
    text = (await page_of(charlie, share)).content.decode()
    assert 'class="reasoning-text" dir="auto">A bowline, then.<' in text
    assert (await shared(alice, hers))["reasoning"] is True
    assert (await shared(alice, hers, reasoning=False))["reasoning"] is False


async def test_what_comes_later_is_not_shown_until_it_is_shared_again(
    alice: Client, charlie: Client, hers: str
) -> None:
    share = await shared(alice, hers, title="For you", description="Have a look")
    await asked(alice, hers, script({"text": "said later"}))
    assert b"said later" not in (await page_of(charlie, share)).content
    again = await shared(alice, hers)
    assert again["token"] == share["token"]
    assert (again["title"], again["description"]) == ("For you", "Have a look")
    assert again["messages"] == 4
    assert b"said later" in (await page_of(charlie, share)).content


async def test_only_the_visible_branch_is_shared(alice: Client, hers: str) -> None:
    first = (await alice.ask("GET", f"/api/conversations/{hers}")).json()
    body = {"content": script({"text": "the other branch"})}
    question = first["messages"][0]["id"]
    response = await alice.ask("POST", f"/api/messages/{question}/edit", body)
    assert response.status_code == 202
    await until(lambda: _settled(alice, hers))
    await alice.ask("PATCH", f"/api/conversations/{hers}", {"head": first["head"]})
    await shared(alice, hers)
    stored = json.dumps((await threads.read(Share.objects.get)).messages)
    assert "through" in stored
    assert "the other branch" not in stored


async def _settled(client: Client, conversation: str) -> bool:
    found = (await client.ask("GET", f"/api/conversations/{conversation}/messages")).json()
    return all(message["status"] != "running" for message in found["messages"])


async def test_a_reply_in_flight_is_left_out(alice: Client, hers: str, providers: Any) -> None:
    question = script({"text": "half a"}, {"gate": "later"}, {"text": "sentence"})
    assert (await send(alice, hers, question)).status_code == 202
    assert (await shared(alice, hers))["messages"] == 3
    (providers / "later").touch()
    await until(lambda: _settled(alice, hers))
    assert (await shared(alice, hers))["messages"] == 4


async def test_a_revoked_link_leads_nowhere(alice: Client, charlie: Client, hers: str) -> None:
    share = await shared(alice, hers)
    path = f"/api/conversations/{hers}/share"
    assert (await alice.ask("GET", path)).json() == {"share": share}
    assert (await alice.ask("DELETE", path)).status_code == 204
    assert (await alice.ask("DELETE", path)).status_code == 204
    assert (await alice.ask("GET", path)).json() == {"share": None}
    assert (await page_of(charlie, share)).status_code == 404
    assert (await shared(alice, hers))["token"] != share["token"]


async def test_a_share_goes_with_its_conversation(
    alice: Client, charlie: Client, hers: str
) -> None:
    share = await shared(alice, hers)
    await alice.ask("DELETE", f"/api/conversations/{hers}")
    assert (await page_of(charlie, share)).status_code == 404


@pytest.mark.parametrize("token", ["x", "x" * 43, "%00" * 43, "é" * 43, "%", "A" * 44, "../c/x"])
async def test_a_made_up_link_is_the_page_of_404(charlie: Client, token: str) -> None:
    response = await charlie.ask("GET", f"/s/{token}")
    assert response.status_code == 404
    assert response["Content-Type"].startswith("text/html")


async def test_the_page_is_kept_from_search_engines_unless_its_owner_allows_it(
    alice: Client, charlie: Client, hers: str
) -> None:
    share = await shared(alice, hers)
    response = await page_of(charlie, share)
    assert response["X-Robots-Tag"] == "noindex"
    assert b'<meta name="robots" content="noindex">' in response.content
    await shared(alice, hers, indexable=True)
    response = await page_of(charlie, share)
    assert "X-Robots-Tag" not in response
    assert b'name="robots"' not in response.content


async def test_the_page_describes_itself_to_other_sites_and_gives_nothing_away(
    alice: Client, charlie: Client, hers: str
) -> None:
    share = await shared(alice, hers, title='A "knot"', description="How to <tie> it")
    response = await page_of(charlie, share)
    text = response.content.decode()
    for name, value in (
        ("og:title", "A &quot;knot&quot;"),
        ("og:description", "How to &lt;tie&gt; it"),
        ("og:url", share["url"]),
        ("og:type", "article"),
        ("og:image", "http://testserver/static/conversations/icons/icon-512.png"),
    ):
        assert f'<meta property="{name}" content="{value}">' in text
    assert '<meta name="description" content="How to &lt;tie&gt; it">' in text
    assert response["Referrer-Policy"] == "no-referrer"
    assert "private" in response["Cache-Control"]
    assert "script-src" in response["Content-Security-Policy"]
    assert not response.cookies


async def test_without_a_description_the_first_words_describe_it(
    alice: Client, charlie: Client
) -> None:
    conversation = await converse(alice)
    await asked(alice, conversation, "What is\n\na bowline? " + "x" * 400)
    share = await shared(alice, conversation)
    assert share["title"]
    found = re.search(r'name="description" content="(.+?)"', (await page_of(charlie, share)).text)
    assert found and found[1].startswith("What is a bowline?")
    assert len(found[1]) <= 200


async def test_an_empty_conversation_has_nothing_to_share(alice: Client) -> None:
    conversation = await converse(alice)
    response = await alice.ask("POST", f"/api/conversations/{conversation}/share", {})
    assert error_of(response) == (422, "invalid_field")
    assert await threads.read(Share.objects.count) == 0


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"title": "x" * 201}, "title"),
        ({"description": "x" * 301}, "description"),
        ({"title": "a\x00b"}, "title"),
        ({"indexable": "perhaps"}, "indexable"),
    ],
)
async def test_a_field_that_does_not_fit_is_named(
    alice: Client, hers: str, body: dict[str, Any], field: str
) -> None:
    response = await alice.ask("POST", f"/api/conversations/{hers}/share", body)
    assert error_of(response) == (422, "invalid_field")
    assert response.json()["error"]["field"] == field
