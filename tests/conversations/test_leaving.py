"""Leaving: an account and everything that is kept of it are deleted, and nothing else."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import ProtectedError
from django.db.models.signals import pre_delete
from pytest_django import Settings

from conversations.accounts.throttling import PAIR
from conversations.models import Attachment, Conversation, Message, Person, Prompt, Share
from streaming import threads
from streaming.models import Fragment, Run
from tests.conftest import Client
from tests.conversations.chatting import asked, converse, error_of, script, send
from tests.waiting import until


async def leave(client: Client, **body: Any) -> Any:
    return await client.ask("DELETE", "/api/account", body)


async def left_of(user_id: Any) -> dict[str, int]:
    def count() -> dict[str, int]:
        kinds = (Conversation, Attachment, Prompt)
        found = {kind.__name__: kind.objects.filter(owner_id=user_id).count() for kind in kinds}
        found["Person"] = Person.objects.filter(user_id=user_id).count()
        found["Share"] = Share.objects.filter(conversation__owner_id=user_id).count()
        found["Message"] = Message.objects.of(user_id).count()
        found["User"] = get_user_model().objects.filter(pk=user_id).count()
        return found

    return await threads.read(count)


async def test_everything_of_the_person_goes_and_nothing_of_others(
    alice: Client, bob: Client, settings: Settings, tmp_path: Path
) -> None:
    media = tmp_path / "media"
    settings.MEDIA_ROOT = str(media)
    for client in (alice, bob):
        for _ in range(2):
            conversation = await converse(client)
            await asked(client, conversation, "Hello")
        await client.ask("POST", f"/api/conversations/{conversation}/share", {})
        file = SimpleUploadedFile("a.txt", b"text", "text/plain")
        uploaded = await client.post("/api/attachments", data={"file": file})
        assert uploaded.status_code == 201
        await client.ask("POST", "/api/prompts", {"name": "Greet", "content": "Say hello"})
    his = await left_of(bob.user.pk)
    assert len([path for path in media.rglob("*") if path.is_file()]) == 2
    assert (await leave(alice, confirm="alice")).status_code == 204
    assert set((await left_of(alice.user.pk)).values()) == {0}
    assert await left_of(bob.user.pk) == his
    assert len([path for path in media.rglob("*") if path.is_file()]) == 1
    assert (await alice.ask("GET", "/api/session")).json()["user"] is None


async def test_a_reply_in_flight_ends_first(alice: Client, providers: Path) -> None:
    conversation = await converse(alice)
    await send(alice, conversation, script({"text": "so far"}, {"gate": "never"}))
    assert (await leave(alice, confirm="alice")).status_code == 204

    async def nothing_is_left() -> bool:
        return not await threads.read(lambda: Run.objects.exists() or Fragment.objects.exists())

    await until(nothing_is_left)


async def test_every_session_of_the_person_ends(alice: Client, bob: Client) -> None:
    other = Client()
    await other.aforce_login(alice.user)
    await leave(alice, confirm="alice")
    assert (await other.ask("GET", "/api/session")).json()["user"] is None
    assert (await bob.ask("GET", "/api/session")).json()["user"]["name"] == "bob"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "confirm"),
        ({"confirm": "bob"}, "confirm"),
        ({"confirm": ""}, "confirm"),
    ],
)
async def test_nothing_goes_by_mistake(alice: Client, body: dict[str, Any], field: str) -> None:
    await converse(alice)
    response = await leave(alice, **body)
    assert error_of(response) == (422, "invalid_field")
    assert response.json()["error"]["field"] == field
    assert (await left_of(alice.user.pk))["Conversation"] == 1


async def test_whoever_has_a_password_gives_it(alice: Client) -> None:
    def choose() -> None:
        alice.user.set_password("correct horse")
        alice.user.save()

    await threads.write(choose)
    await alice.aforce_login(alice.user)
    for given in ({}, {"password": ""}, {"password": "wrong"}):
        refusal = await leave(alice, confirm="alice", **given)
        assert error_of(refusal) == (422, "invalid_field")
        assert refusal.json()["error"]["field"] == "password"
    assert (await alice.ask("GET", "/api/session")).json()["user"]["password"]
    assert (await leave(alice, confirm="alice", password="correct horse")).status_code == 204


@pytest.mark.usefixtures("stopped_clock")
async def test_a_stolen_session_cannot_guess_the_password_by_leaving(alice: Client) -> None:
    def set_password() -> None:
        alice.user.set_password("correct horse")
        alice.user.save()
        alice.force_login(alice.user)

    await threads.write(set_password)
    for _ in range(PAIR.free):
        refusal = await leave(alice, confirm="alice", password="wrong")
        assert refusal.json()["error"]["field"] == "password"
    await leave(alice, confirm="alice", password="wrong")
    refusal = await leave(alice, confirm="alice", password="correct horse")
    assert error_of(refusal) == (429, "too_many_requests")
    assert int(refusal["Retry-After"]) >= 1


async def test_a_guest_leaves_by_any_word(charlie: Client, settings: Settings) -> None:
    settings.ALLOW_GUESTS = True
    await converse(charlie)
    assert (await leave(charlie, confirm="Guest")).status_code == 204
    assert await threads.read(get_user_model().objects.count) == 0


async def test_a_user_that_other_data_holds_on_to_is_closed_and_emptied(alice: Client) -> None:
    def hold(**told: Any) -> None:
        raise ProtectedError("an invoice names this user", set())

    await converse(alice)
    users = get_user_model()
    pre_delete.connect(hold, sender=users)
    try:
        assert (await leave(alice, confirm="alice")).status_code == 204
    finally:
        pre_delete.disconnect(hold, sender=users)
    left = await left_of(alice.user.pk)
    assert left.pop("User") == 1
    assert set(left.values()) == {0}
    user = await threads.read(users.objects.get)
    assert not user.is_active
    assert not user.has_usable_password()
