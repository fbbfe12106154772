"""API keys: what they open, what they do not, and that a cookie beside one counts for nothing."""

import asyncio
import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest
from channels.testing import WebsocketCommunicator
from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from conversations.accounts import keys
from conversations.models import ApiKey, Guest
from conversations.routing import websocket
from streaming import threads
from streaming.consumers import NOT_SIGNED_IN
from tests.conftest import Client
from tests.conversations.chatting import converse, error_of, new_id, read, script, send
from tests.conversations.test_account_pages import PASSWORD, sign_up
from tests.conversations.test_routing import hear_until


async def key_of(client: Client, *scopes: str) -> str:
    """Make a key of somebody; returns what it says behind `Authorization:`."""
    made = await threads.write(keys.make, client.user, "a parrot", scopes or (*keys.SCOPES,))
    return f"Bearer {made[1]}"


@pytest.fixture
async def program(clients: Any) -> Client:
    """A program without cookies, which insists on CSRF checks where there are any."""
    return Client(enforce_csrf_checks=True)


async def row() -> ApiKey:
    return await threads.read(lambda: ApiKey.objects.select_related("owner").get())


async def test_a_key_asks_reads_stops_and_deletes_without_a_cookie(
    alice: Client, program: Client
) -> None:
    key = await key_of(alice)
    made = await program.ask("POST", "/api/conversations", {}, authorization=key)
    assert made.status_code == 201
    path = f"/api/conversations/{made.json()['id']}"
    question = {"content": "Holdfast"}
    response = await program.ask(
        "POST", f"{path}/messages", question, authorization=key, accept="text/event-stream"
    )
    assert (await read(response))[-1]["type"] == "ended"
    events = response["Location"]
    response = await program.ask("GET", events, authorization=key)
    assert (await read(response))[-1]["type"] == "ended"
    stop = events.removesuffix("events") + "stop"
    assert (await program.ask("POST", stop, {}, authorization=key)).status_code == 200
    export = await program.ask("GET", f"{path}/export", authorization=key)
    assert export.status_code == 200
    b"".join([part async for part in export])
    assert (await alice.ask("GET", path)).status_code == 200
    assert (await program.ask("DELETE", path, authorization=key)).status_code == 204
    assert not program.cookies


async def test_the_session_endpoint_says_whose_key_it_is_and_sets_no_cookie(
    alice: Client, program: Client
) -> None:
    response = await program.ask("GET", "/api/session", authorization=await key_of(alice))
    assert response.json()["user"]["name"] == "alice"
    assert not response.cookies


@pytest.mark.parametrize(
    "given", ["Bearer hf_wrong", "Bearer", "Bearer \u00e9", "bearer " + "x" * 9999]
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/conversations"),
        ("POST", "/api/conversations"),
        ("GET", "/api/session"),
        ("GET", "/api/models"),
        ("GET", "/api/announcements"),
        ("GET", f"/api/runs/{new_id()}/events"),
        ("POST", "/api/attachments"),
        ("POST", "/api/import"),
    ],
)
async def test_a_wrong_key_is_refused_whatever_cookie_is_beside_it(
    alice: Client, settings: Settings, method: str, path: str, given: str
) -> None:
    settings.ALLOW_GUESTS = True
    headers = {"content-type": "multipart/form-data"} if path == "/api/attachments" else {}
    if headers:
        response = await alice.post(path, {}, headers={"authorization": given})
    else:
        response = await alice.ask(method, path, {}, authorization=given)
    assert error_of(response) == (401, "not_signed_in")
    assert response["WWW-Authenticate"] == "Bearer"
    assert await threads.read(Guest.objects.count) == 0


async def test_a_key_decides_who_asks_and_not_the_cookie_beside_it(
    alice: Client, bob: Client
) -> None:
    mine = await converse(alice)
    key = await key_of(bob)
    response = await alice.ask("GET", f"/api/conversations/{mine}", authorization=key)
    assert error_of(response) == (404, "not_found")
    assert (await alice.ask("GET", "/api/session", authorization=key)).json()["user"][
        "name"
    ] == "bob"
    started = await alice.ask("POST", "/api/conversations", {}, authorization=key)
    await send(bob, started.json()["id"], "Hello")
    body = {"confirm": "bob"}
    assert (await alice.ask("DELETE", "/api/account", body, authorization=key)).status_code in (
        204,
        422,
    )
    assert (await alice.ask("GET", "/api/session")).json()["user"]["name"] == "alice"


async def test_another_scheme_of_authorization_is_none_of_ours(alice: Client) -> None:
    response = await alice.ask("GET", "/api/conversations", authorization="Basic eDp5")
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("scope", "others", "method", "path", "body"),
    [
        ("read", ["account"], "GET", "/api/conversations", None),
        ("chat", ["read", "account"], "POST", "/api/conversations", {}),
        ("account", ["read", "chat"], "GET", "/api/account/export", None),
        ("account", ["read", "chat"], "DELETE", "/api/account", {"confirm": "nobody"}),
    ],
)
async def test_a_key_is_for_its_scopes_alone(
    *,
    alice: Client,
    program: Client,
    scope: str,
    others: list[str],
    method: str,
    path: str,
    body: Any,
) -> None:
    without = await key_of(alice, *others)
    response = await program.ask(method, path, body, authorization=without)
    assert error_of(response) == (403, "scope_missing")
    assert response.json()["error"]["scope"] == scope
    response = await program.ask(method, path, body, authorization=await key_of(alice, scope))
    assert response.status_code not in (401, 403)


async def test_a_key_that_may_ask_may_read_too(alice: Client, program: Client) -> None:
    key = await key_of(alice, "chat")
    assert (await program.ask("GET", "/api/conversations", authorization=key)).status_code == 200


async def test_only_the_digest_of_a_key_is_kept(alice: Client) -> None:
    secret = (await key_of(alice)).removeprefix("Bearer ")
    kept = await row()
    assert len(secret) >= 46
    assert kept.digest == hashlib.sha256(secret.encode()).hexdigest()
    values = [str(value) for value in vars(kept).values()]
    assert not [value for value in values if secret in value]
    assert secret.startswith(kept.prefix) and len(kept.prefix) < 12


async def test_the_last_use_is_written_once_a_minute(alice: Client, program: Client) -> None:
    key = await key_of(alice)
    await program.ask("GET", "/api/conversations", authorization=key)
    first = (await row()).last_used_at
    assert first is not None
    await program.ask("GET", "/api/conversations", authorization=key)
    assert (await row()).last_used_at == first
    before = timezone.now() - timedelta(minutes=2)
    await threads.write(lambda: ApiKey.objects.update(last_used_at=before))
    await program.ask("GET", "/api/conversations", authorization=key)
    used = (await row()).last_used_at
    assert used is not None and used > first


async def test_a_closed_account_s_keys_open_nothing(alice: Client, program: Client) -> None:
    key = await key_of(alice)
    users = get_user_model().objects.filter(pk=alice.user.pk)
    await threads.write(lambda: users.update(is_active=False))
    response = await program.ask("GET", "/api/conversations", authorization=key)
    assert error_of(response) == (401, "not_signed_in")


def socket(authorization: str, origin: str = "https://elsewhere.example") -> Any:
    headers = [(b"host", b"localhost"), (b"origin", origin.encode())]
    headers.append((b"authorization", authorization.encode()))
    return WebsocketCommunicator(websocket, "/ws/chat/", headers=headers)


async def test_a_socket_opens_with_a_key_whatever_its_origin(alice: Client) -> None:
    communicator = socket(await key_of(alice))
    assert (await communicator.connect(timeout=5))[0]
    question = {"type": "send", "conversation_id": await converse(alice), "content": "Holdfast"}
    await communicator.send_to(text_data=json.dumps(question))
    await hear_until(communicator, "ended")
    await communicator.disconnect(timeout=5)


async def test_a_socket_with_a_wrong_key_is_closed_whatever_cookie_is_beside_it(
    alice: Client,
) -> None:
    communicator = socket("Bearer hf_wrong", "http://localhost")
    cookie = f"sessionid={alice.cookies['sessionid'].value}".encode()
    communicator.scope["headers"].append((b"cookie", cookie))
    assert (await communicator.connect(timeout=5))[0]
    closed = {"type": "websocket.close", "code": NOT_SIGNED_IN}
    assert await communicator.receive_output(timeout=5) == closed


async def test_a_socket_whose_key_only_reads_may_not_ask_or_stop(alice: Client) -> None:
    communicator = socket(await key_of(alice, "read"))
    assert (await communicator.connect(timeout=5))[0]
    conversation = await converse(alice)
    for message in (
        {"type": "send", "conversation_id": conversation, "content": "x"},
        {"type": "stop", "run_id": new_id()},
    ):
        await communicator.send_to(text_data=json.dumps(message))
        error = (await hear_until(communicator, "error"))[-1]["error"]
        assert (error["code"], error["scope"]) == ("scope_missing", "chat")
    await communicator.disconnect(timeout=5)


async def test_a_socket_whose_key_may_not_read_hears_and_follows_nothing(alice: Client) -> None:
    communicator = socket(await key_of(alice, "account"))
    assert (await communicator.connect(timeout=5))[0]
    run = (await send(alice, await converse(alice), "Hello")).json()["run_id"]
    await communicator.send_to(text_data=json.dumps({"type": "follow", "run_id": run}))
    [error] = await hear_until(communicator, "error")
    assert error["error"]["code"] == "not_found"
    await communicator.disconnect(timeout=5)


async def test_a_revoked_key_loses_its_sockets_and_streams_and_opens_no_more(
    alice: Client, program: Client
) -> None:
    key = await key_of(alice)
    question = script({"text": "so far"}, {"gate": "never"})
    path = (await send(alice, await converse(alice), question)).json()["events"]
    stream = asyncio.create_task(read(await program.ask("GET", path, authorization=key)))
    communicator = socket(key)
    assert (await communicator.connect(timeout=5))[0]
    assert await threads.write(lambda: keys.revoke(ApiKey.objects.all())) == 1
    async with asyncio.timeout(5):
        heard = await stream
        output = {"type": ""}
        while output["type"] != "websocket.close":
            output = await communicator.receive_output(timeout=5)
    assert "ended" not in {event["type"] for event in heard}
    assert output["code"] == NOT_SIGNED_IN
    response = await program.ask("GET", path, authorization=key)
    assert error_of(response) == (401, "not_signed_in")


async def make_on_page(client: Client, **form: Any) -> str:
    page = await client.post("/account/keys", {"name": "laptop", "scopes": ["read"], **form})
    assert page.status_code == 200
    assert "no-store" in page["Cache-Control"]
    return str(page.content.decode())


async def test_a_person_makes_a_key_sees_it_once_and_revokes_it(
    clients: Any, program: Client, settings: Settings
) -> None:
    settings.ALLOW_SIGNUP = True
    dora = await clients("")
    await sign_up(dora)
    page = await make_on_page(dora)
    secret = page.split('class="key-secret" tabindex="0">')[1].split("<")[0]
    assert "laptop" in page
    authorization = f"Bearer {secret}"
    response = await program.ask("GET", "/api/session", authorization=authorization)
    assert response.json()["user"]["name"] == "dora"
    assert secret not in (await dora.get("/account/keys")).content.decode()
    await dora.post(f"/account/keys/{(await row()).pk}/revoke")
    assert "laptop" not in (await dora.get("/account/keys")).content.decode()
    response = await program.ask("GET", "/api/session", authorization=authorization)
    assert response.status_code == 401


async def test_nobody_revokes_or_sees_another_s_key(alice: Client, bob: Client) -> None:
    await key_of(alice)
    await bob.post(f"/account/keys/{(await row()).pk}/revoke")
    assert (await row()).revoked_at is None
    assert "a parrot" not in (await bob.get("/account/keys")).content.decode()


async def test_guests_and_visitors_are_led_to_the_sign_in(
    charlie: Client, settings: Settings
) -> None:
    settings.ALLOW_GUESTS = True
    for _ in range(2):
        for response in (
            await charlie.get("/account/keys"),
            await charlie.post("/account/keys", {"name": "x", "scopes": ["read"]}),
            await charlie.post("/account/keys/1/revoke"),
        ):
            assert response.status_code == 302
            assert response["Location"].startswith("/account/sign-in")
        await converse(charlie)
    assert await threads.read(ApiKey.objects.count) == 0


async def test_a_key_opens_no_page(alice: Client, program: Client) -> None:
    response = await program.ask("GET", "/account/keys", authorization=await key_of(alice))
    assert response.status_code == 302


async def test_staff_make_a_key_see_it_once_and_revoke_it_in_the_admin(
    clients: Any, alice: Client, program: Client
) -> None:
    staff = Client()
    make = get_user_model().objects.create_superuser
    user = await threads.write(lambda: make("root", password=PASSWORD))
    await staff.aforce_login(user)
    form = {"owner": str(alice.user.pk), "name": "robot", "scopes": ["read", "chat"]}
    page = await staff.post(reverse("admin:holdfast_conversations_apikey_add"), form)
    assert page.status_code == 200, page.content
    secret = page.content.decode().split("<code>")[1].split("<")[0]
    key = await row()
    assert (key.owner.username, key.scopes) == ("alice", ["read", "chat"])
    response = await program.ask("GET", "/api/session", authorization=f"Bearer {secret}")
    assert response.json()["user"]["name"] == "alice"
    changelist = reverse("admin:holdfast_conversations_apikey_changelist")
    listed = (await staff.get(changelist)).content.decode()
    assert "robot" in listed and key.prefix in listed and secret not in listed
    shown = await staff.get(reverse("admin:holdfast_conversations_apikey_change", args=[key.pk]))
    assert shown.status_code == 200 and secret not in shown.content.decode()
    chosen = {"action": "revoke", "_selected_action": [str(key.pk)]}
    assert (await staff.post(changelist, chosen)).status_code == 302
    response = await program.ask("GET", "/api/session", authorization=f"Bearer {secret}")
    assert response.status_code == 401
