"""The user of a session, read for sockets."""

from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from pytest_django import Settings

from conversations.accounts.identity import user_of_session
from conversations.models import Guest, Person
from streaming import threads
from tests.conftest import Client
from tests.conversations.chatting import converse


def key(client: Client) -> str:
    return client.cookies["sessionid"].value


async def test_a_session_names_its_user(alice: Client) -> None:
    assert await threads.read(user_of_session, key(alice)) == alice.user


async def test_no_session_is_nobody(alice: Client) -> None:
    for nothing in (None, "", "x" * 32, "\x00"):
        assert await threads.read(user_of_session, nothing) is None


async def test_a_session_ends_with_sign_out_password_and_account(alice: Client) -> None:
    signed_in = key(alice)

    def deactivate() -> None:
        get_user_model().objects.filter(pk=alice.user.pk).update(is_active=False)

    def change_password() -> None:
        user = get_user_model().objects.get(pk=alice.user.pk)
        user.is_active = True
        user.set_password("another")
        user.save()

    for end in (deactivate, change_password, Session.objects.all().delete):
        await threads.write(end)
        assert await threads.read(user_of_session, signed_in) is None


async def test_a_session_outlives_the_turn_of_the_secret_key(
    alice: Client, settings: Settings
) -> None:
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another-" + "k" * 50
    assert await threads.read(user_of_session, key(alice)) == alice.user
    settings.SECRET_KEY_FALLBACKS = []
    assert await threads.read(user_of_session, key(alice)) is None


async def test_a_guest_is_a_user_without_a_password_and_a_person(
    charlie: Client, settings: object
) -> None:
    settings.ALLOW_GUESTS = True  # type: ignore[attr-defined]
    await converse(charlie)

    def look() -> tuple[bool, bool]:
        guest = Guest.objects.get()
        person = Person.objects.filter(user=guest.user).exists()
        return guest.user.has_usable_password(), person

    assert await threads.read(look) == (False, True)
