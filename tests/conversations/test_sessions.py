"""What a person holds open ends with the session that opened it, and at once."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from conversations.accounts.sessions import recheck
from streaming import threads
from streaming.consumers import NOT_SIGNED_IN
from tests.conftest import Client
from tests.conversations.chatting import converse, error_of, read, script, send
from tests.conversations.test_account_pages import PASSWORD, doors, fill_in, sign_up
from tests.conversations.test_routing import hear_until, socket

__all__ = ["doors"]


async def change(clients: Any, here: Client) -> None:
    new = "another-" + PASSWORD
    form = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert (await fill_in(here, "/account/password", **form)).status_code == 302


async def close(clients: Any, here: Client) -> None:
    def deactivate() -> None:
        user = get_user_model().objects.get(username="dora")
        user.is_active = False
        user.save()

    await threads.write(deactivate)


async def delete(clients: Any, here: Client) -> None:
    body = {"confirm": "dora", "password": PASSWORD}
    assert (await here.ask("DELETE", "/api/account", body)).status_code == 204


async def sign_out_there(clients: Any, here: Client) -> None:
    assert (await clients.there.post("/account/sign-out")).status_code == 302


@pytest.mark.parametrize("end", [change, close, delete, sign_out_there])
async def test_a_session_that_ended_loses_its_socket_and_its_streams(
    clients: Any, providers: Path, end: Any
) -> None:
    here, there = await clients(""), await clients("")
    clients.there = there
    await sign_up(here)
    await fill_in(there, "/account/sign-in", username="dora", password=PASSWORD)
    run = await send(there, await converse(there), script({"text": "so far"}, {"gate": "never"}))
    path = run.json()["events"]
    stream = asyncio.create_task(read(await there.ask("GET", path)))
    begun = await converse(there)
    headers = {"accept": "text/event-stream"}
    starting = there.ask(
        "POST",
        f"/api/conversations/{begun}/messages",
        {"content": script({"text": "x"}, {"gate": "never"})},
        **headers,
    )
    second = asyncio.create_task(read(await starting))
    communicator = socket(there)
    assert (await communicator.connect(timeout=5))[0]
    await end(clients, here)
    async with asyncio.timeout(5):
        heard = [*(await stream), *(await second)]
        output = {"type": ""}
        while output["type"] != "websocket.close":
            output = await communicator.receive_output(timeout=5)
    assert output["code"] == NOT_SIGNED_IN
    if end is not delete:
        assert "ended" not in {event["type"] for event in heard}
    assert error_of(await there.ask("GET", path)) == (401, "not_signed_in")


async def test_a_session_that_goes_on_keeps_its_socket_and_reads_on(
    alice: Client, bob: Client, providers: Path
) -> None:
    run = await send(bob, await converse(bob), script({"text": "so far"}, {"gate": "g"}))
    his = asyncio.create_task(read(await bob.ask("GET", run.json()["events"])))
    run = await send(alice, await converse(alice), script({"text": "so far"}, {"gate": "g"}))
    hers = asyncio.create_task(read(await alice.ask("GET", run.json()["events"])))
    communicator = socket(alice)
    assert (await communicator.connect(timeout=5))[0]
    await threads.write(recheck, alice.user.pk)
    async with asyncio.timeout(5):
        heard = await hers
    assert heard[-1]["type"] in ("delta", "ping")
    assert not his.done()
    (providers / "g").touch()
    again = await read(await alice.ask("GET", run.json()["events"]))
    assert again[-1]["type"] == "ended"
    await his
    await communicator.send_to(text_data='{"type": "ping"}')
    await hear_until(communicator, "pong")
    await communicator.disconnect(timeout=5)
