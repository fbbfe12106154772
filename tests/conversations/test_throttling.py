"""Who guesses waits longer and longer; who is the account's owner does not wait for it."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core import mail
from django.utils import timezone
from pytest_django import Settings

from conversations.accounts.attempts import Attempts
from conversations.accounts.throttling import ACCOUNT, ADDRESS, MAIL, PAIR
from streaming import threads
from tests.conftest import Client
from tests.conversations.test_account_pages import PASSWORD, doors, who

__all__ = ["doors"]
pytestmark = pytest.mark.usefixtures("stopped_clock")
SIGN_IN = "/account/sign-in"
ADMIN = "/admin/login/"


class Browser(Client):
    """A browser at an address."""

    at = ""

    def _base_scope(self, **request: Any) -> Any:
        return {**super()._base_scope(**request), "client": (self.at, 4000)}


@pytest.fixture
async def clients(current_worker: Any, providers: Any) -> Any:
    async def make(name: str) -> Browser:
        return Browser()

    return make


@pytest.fixture
async def dora(clients: Any) -> Any:
    """An account, staff, too."""
    make = get_user_model().objects.create_superuser
    return await threads.write(lambda: make("dora", "dora@harbour.example", PASSWORD))


async def guess(
    client: Browser,
    *,
    password: str = "wrong",
    name: str = "dora",
    page: str = SIGN_IN,
    at: str = "192.0.2.1",
) -> Any:
    client.at = at
    return await client.post(page, {"username": name, "password": password})


async def later(seconds: int) -> None:
    """Let time pass, as far as waits know."""

    def move() -> None:
        for row in Attempts.objects.all():
            row.free_at -= timedelta(seconds=seconds)
            row.save()

    await threads.write(move)


@pytest.mark.parametrize("page", [SIGN_IN, ADMIN])
async def test_waits_grow_with_each_wrong_password_and_end_with_the_right_one(
    clients: Any, dora: Any, page: str
) -> None:
    client = await clients("")
    for _ in range(PAIR.free):
        assert (await guess(client, page=page)).status_code == 200
    waits = []
    for _ in range(4):
        refused = await guess(client, page=page, password=PASSWORD)
        assert refused.status_code == 429
        assert "Too many attempts" in refused.content.decode()
        waits.append(int(refused["Retry-After"]))
        await later(waits[-1])
        assert (await guess(client, page=page)).status_code == 200
    assert waits == [1, 2, 4, 8]
    await later(16)
    assert (await guess(client, page=page, password=PASSWORD)).status_code == 302
    assert (await who(client))["name"] == "dora"
    other = await clients("")
    for _ in range(PAIR.free):
        assert (await guess(other, page=page)).status_code == 200


async def test_a_wait_is_no_longer_than_its_rule_says(clients: Any, dora: Any) -> None:
    client = await clients("")
    await guess(client)
    await threads.write(lambda: Attempts.objects.update(failures=10_000))
    await guess(client)
    assert int((await guess(client))["Retry-After"]) <= PAIR.longest_seconds


async def test_one_who_does_not_exist_is_throttled_alike(clients: Any, dora: Any) -> None:
    async def answers(name: str) -> list[Any]:
        client = await clients("")
        found = [await guess(client, name=name, at=f"192.0.2.{len(name)}") for _ in range(8)]
        return [(one.status_code, one.get("Retry-After")) for one in found]

    assert await answers("dora") == await answers("nobody")


async def test_guesses_from_everywhere_slow_strangers_down_and_not_the_owner(
    clients: Any, dora: Any
) -> None:
    at_home = await clients("")
    assert (await guess(at_home, password=PASSWORD, at="198.51.100.1")).status_code == 302
    await at_home.post("/account/sign-out")
    stranger = await clients("")
    for n in range(ACCOUNT.free):
        assert (await guess(stranger, at=f"192.0.2.{n}")).status_code == 200
    refused = await guess(stranger, at="203.0.113.1")
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) <= ACCOUNT.longest_seconds
    elsewhere = await clients("")
    assert (await guess(elsewhere, password=PASSWORD, at="198.51.100.2")).status_code == 429
    assert (await guess(at_home, password=PASSWORD, at="198.51.100.2")).status_code == 302


async def test_the_mark_of_a_browser_is_for_its_own_account_and_cannot_be_made_up(
    clients: Any, dora: Any
) -> None:
    make = get_user_model().objects.create_user
    await threads.write(lambda: make("erik", password=PASSWORD))
    erik = await clients("")
    assert (await guess(erik, name="erik", password=PASSWORD)).status_code == 302
    await erik.post("/account/sign-out")
    for n in range(ACCOUNT.free):
        await guess(erik, at=f"192.0.2.{n}")
    assert (await guess(erik, at="203.0.113.1")).status_code == 429
    erik.cookies["holdfast_known"] = "made:up:entirely"
    assert (await guess(erik, at="203.0.113.1")).status_code == 429


async def test_one_address_does_not_go_through_many_names(clients: Any, dora: Any) -> None:
    client = await clients("")
    await guess(client, name="0")
    await threads.write(lambda: Attempts.objects.update(failures=ADDRESS.free))
    await guess(client, name="1")
    assert (await guess(client, name="2")).status_code == 429
    assert (await guess(client, name="2", at="198.51.100.9")).status_code == 200


async def test_waits_are_forgotten_and_rows_do_not_gather(clients: Any, dora: Any) -> None:
    client = await clients("")
    for n in range(3):
        await guess(client, name=str(n))
    before = timezone.now() - timedelta(hours=2)
    await threads.write(lambda: Attempts.objects.update(at=before, failures=100))
    assert (await guess(client)).status_code == 200
    assert await threads.read(Attempts.objects.count) == 3


async def test_what_was_typed_is_not_kept(clients: Any, dora: Any) -> None:
    await guess(await clients(""), name="my secret password")
    kept = await threads.read(lambda: str(list(Attempts.objects.values())))
    assert "secret" not in kept and "192.0.2.1" not in kept


async def test_a_password_that_is_changed_cannot_be_guessed_in_a_stolen_session(
    clients: Any, dora: Any
) -> None:
    client = await clients("")
    await guess(client, password=PASSWORD)
    new = {"new_password1": "quite-another-1", "new_password2": "quite-another-1"}
    for _ in range(PAIR.free):
        response = await client.post("/account/password", {"old_password": "wrong", **new})
        assert response.status_code == 200
    response = await client.post("/account/password", {"old_password": PASSWORD, **new})
    assert response.status_code == 429


async def test_a_mailbox_is_not_flooded_with_links(
    clients: Any, dora: Any, settings: Settings
) -> None:
    client = await clients("")
    for address in ("dora@harbour.example", "nobody@harbour.example"):
        statuses = [
            (await client.post("/account/reset", {"email": address})).status_code
            for _ in range(MAIL.free + 2)
        ]
        assert statuses == [302] * MAIL.free + [429] * 2
    assert len(mail.outbox) <= MAIL.free


async def test_the_session_has_another_key_after_the_sign_in(
    clients: Any, dora: Any, settings: Settings
) -> None:
    guest = await clients("")
    await guest.ask("POST", "/api/conversations", {})
    before = guest.cookies["sessionid"].value
    token = guest.cookies.get("csrftoken")
    await guess(guest, password=PASSWORD)
    assert guest.cookies["sessionid"].value != before
    assert token is None or guest.cookies["csrftoken"].value != token.value
    stolen = Client()
    stolen.cookies["sessionid"] = before
    assert (await stolen.ask("GET", "/api/session")).json()["user"] is None
