"""Prompts over the API."""

from typing import Any

import pytest

from conversations import prompts
from conversations.models import Person, Prompt
from streaming import threads
from tests.conftest import Client
from tests.conversations.chatting import error_of, new_id


async def keep(client: Client, name: str, content: str = "Sum this up:") -> Any:
    return await client.ask("POST", "/api/prompts", {"name": name, "content": content})


async def names(client: Client) -> list[str]:
    return [one["name"] for one in (await client.ask("GET", "/api/prompts")).json()["prompts"]]


async def test_prompts_are_kept_listed_changed_and_deleted(alice: Client) -> None:
    made = await keep(alice, "  sum \n up ")
    assert made.status_code == 201
    assert set(made.json()) == {"id", "name", "content", "created_at"}
    assert (await keep(alice, "explain")).status_code == 201
    assert await names(alice) == ["explain", "sum up"]
    path = f"/api/prompts/{made.json()['id']}"
    changed = await alice.ask("PATCH", path, {"name": "brief"})
    assert changed.json() == {**made.json(), "name": "brief"}
    assert (await alice.ask("DELETE", path)).status_code == 204
    assert await names(alice) == ["explain"]
    assert error_of(await alice.ask("DELETE", path)) == (404, "not_found")


async def test_a_name_is_a_person_s_once(alice: Client, bob: Client) -> None:
    await keep(alice, "one")
    other = (await keep(alice, "other")).json()["id"]
    assert (await keep(bob, "one")).status_code == 201
    for response in (
        await keep(alice, "one"),
        await alice.ask("PATCH", f"/api/prompts/{other}", {"name": "one"}),
    ):
        assert error_of(response) == (422, "invalid_field")
        assert response.json()["error"]["field"] == "name"
    assert await names(alice) == ["one", "other"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"content": "x"}, "name"),
        ({"name": "x"}, "content"),
        ({"name": " ", "content": "x"}, "name"),
        ({"name": "x", "content": " \n"}, "content"),
        ({"name": "x" * 101, "content": "x"}, "name"),
        ({"name": "x", "content": "x" * 20_001}, "content"),
        ({"name": "a\x00b", "content": "x"}, "name"),
        ({"name": "x", "content": "\ud83d"}, "content"),
        ({"name": 5, "content": "x"}, "name"),
    ],
)
async def test_a_prompt_that_does_not_fit_is_refused(
    alice: Client, body: dict[str, Any], field: str
) -> None:
    response = await alice.ask("POST", "/api/prompts", body)
    assert error_of(response) == (422, "invalid_field")
    assert response.json()["error"]["field"] == field
    assert await names(alice) == []


@pytest.mark.parametrize("body", [{"name": None}, {"content": None}, {"name": ""}])
async def test_a_change_that_does_not_fit_changes_nothing(
    alice: Client, body: dict[str, Any]
) -> None:
    made = (await keep(alice, "one")).json()
    response = await alice.ask("PATCH", f"/api/prompts/{made['id']}", body)
    assert error_of(response) == (422, "invalid_field")
    assert (await alice.ask("GET", "/api/prompts")).json()["prompts"] == [made]


async def test_there_is_an_end_to_what_is_kept(alice: Client) -> None:
    many = [
        Prompt(owner=alice.user, name=f"number {n}", content="x")
        for n in range(prompts.MOST_PROMPTS)
    ]
    await threads.write(Prompt.objects.bulk_create, many)
    assert error_of(await keep(alice, "one more")) == (422, "invalid_field")


async def test_a_prompt_raises_the_revision(alice: Client) -> None:
    await threads.write(lambda: Person.objects.create(user=alice.user))
    await keep(alice, "one")
    person = await threads.read(lambda: Person.objects.get(user=alice.user))
    assert person.revision == 1


@pytest.mark.parametrize(("method", "body"), [("PATCH", {"name": "his"}), ("DELETE", None)])
async def test_bob_and_charlie_reach_none_of_alice_s(
    alice: Client, bob: Client, charlie: Client, method: str, body: Any
) -> None:
    path = f"/api/prompts/{(await keep(alice, 'hers')).json()['id']}"
    of_others = await bob.ask(method, path, body)
    of_nothing = await bob.ask(method, f"/api/prompts/{new_id()}", body)
    assert error_of(of_others) == error_of(of_nothing) == (404, "not_found")
    assert error_of(await charlie.ask(method, path, body)) == (401, "not_signed_in")
    assert error_of(await charlie.ask("GET", "/api/prompts")) == (401, "not_signed_in")
    assert await names(bob) == []
    assert await names(alice) == ["hers"]
