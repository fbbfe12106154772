"""Settled replies are reported, signed, at least once, and at nobody's expense."""

import asyncio
import json
import re
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection
from django.db.models import ProtectedError
from django.db.models.signals import pre_delete
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from conversations.accounts import guests
from conversations.accounts.leaving import leave
from conversations.admin.deleting import delete_users
from conversations.models import Conversation, Delivery, Guest, Webhook
from conversations.webhooks import outbox, outgoing
from conversations.webhooks.delivering import deliver
from streaming import threads
from tests.conftest import Client
from tests.conversations.chatting import asked, converse
from tests.receiver import Receiver
from tests.waiting import until

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "webhooks.md"


@pytest.fixture(autouse=True)
def quick(settings: Settings) -> Any:
    settings.WEBHOOKS_ALLOW_PRIVATE = True
    settings.WEBHOOKS_TIMEOUT_SECONDS = 5
    settings.WEBHOOKS_RETRY_SECONDS = 0
    settings.WEBHOOKS_ATTEMPTS = 3
    outbox.forget()
    yield
    outbox.forget()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as found:
        yield found


@pytest.fixture
async def delivering(current_worker: Any) -> AsyncIterator[None]:
    task = asyncio.create_task(deliver())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def hook(url: str, **fields: Any) -> Webhook:
    made = await threads.write(lambda: Webhook.objects.create(url=url, **fields))
    outbox.forget()
    return made


async def deliveries() -> list[Delivery]:
    return await threads.read(lambda: list(Delivery.objects.order_by("created_at")))


async def done() -> Delivery:
    """Wait until the one delivery is over."""

    async def is_over() -> bool:
        return [one.state for one in await deliveries()] in (["delivered"], ["dead"])

    await until(is_over)
    [found] = await deliveries()
    return found


def documented() -> Callable[..., bool]:
    """Return the function of the documentation that verifies."""
    [code] = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    verify: Callable[..., bool] = names["verify"]
    return verify


async def test_a_webhook_that_is_made_during_a_look_at_them_counts_at_once(alice: Client) -> None:
    """What the look had read is older."""
    outbox.forget()
    looking = threading.Event()

    def watch(execute: Any, sql: str, *rest: Any) -> Any:
        found = execute(sql, *rest)
        if not looking.is_set() and "holdfast_conversations_webhook" in sql:
            looking.set()
            made.wait(8)
        return found

    def look() -> None:
        with connection.execute_wrapper(watch):
            outbox.look()

    made = threading.Event()
    slow = asyncio.create_task(threads.read(look))
    await until(looking.is_set)
    new = await hook("http://127.0.0.1:9/")
    made.set()
    await slow
    assert new.id in await threads.read(outbox.enabled)


async def test_a_settled_reply_is_reported_with_a_signature_that_the_documentation_verifies(
    alice: Client, receiver: Receiver, delivering: None
) -> None:
    made = await hook(receiver.url)
    conversation = await converse(alice)
    reply = await asked(alice, conversation, "Holdfast")
    async with asyncio.timeout(20):
        await receiver.count(1)
    [got] = receiver.received
    assert documented()(made.secret, got.headers, got.body)
    assert not documented()(made.secret, got.headers, got.body + b" ")
    assert not documented()(webhooks_secret(), got.headers, got.body)
    assert not documented()(made.secret, got.headers | {"webhook-timestamp": "1"}, got.body)
    report = json.loads(got.body)
    assert report["type"] == "reply.settled"
    data = report["data"]
    assert (data["run_id"], data["conversation_id"]) == (reply, conversation)
    assert (data["user_id"], data["status"], data["reason"]) == (
        *(str(alice.user.pk), "completed", "stop"),
    )
    assert data["text_length"] == len("Holdfast") and "content" not in data
    assert (await done()).last_outcome == "status 200"
    said = re.findall(r'"(\w+)":', DOCUMENT.read_text().split("```json")[1].split("```")[0])
    usage = {"input_tokens", "output_tokens"}
    assert set(said) - usage == {"type", "timestamp", "data", *data}


def webhooks_secret() -> str:
    from conversations.webhooks.models import new_secret

    return new_secret()


async def test_the_text_goes_only_where_it_may(alice: Client) -> None:
    await hook("http://127.0.0.1:9/a")
    await hook("http://127.0.0.1:9/b", with_content=True)
    await hook("http://127.0.0.1:9/c", enabled=False)
    await asked(alice, await converse(alice), "Holdfast")
    bodies = {one.webhook_id: json.loads(one.body) for one in await deliveries()}
    texts = [body["data"].get("content") for _, body in sorted(bodies.items())]
    assert texts == [None, "Holdfast"]


async def test_where_there_is_no_webhook_settling_asks_nothing_more(alice: Client) -> None:
    def count() -> int:
        outbox.look()
        with CaptureQueriesContext(connection) as caught:
            outbox.put(None, None, None, timezone.now())  # type: ignore[arg-type]
        return len(caught)

    assert await threads.write(count) == 0
    await asked(alice, await converse(alice), "Holdfast")
    assert await deliveries() == []


@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [
        ({"status": 500}, "status 500"),
        ({"status": 302, "headers": "Location: /elsewhere\r\n"}, "status 302"),
        ({"raw": b"SSH-2.0-OpenSSH_9.2\r\n"}, "unreachable"),
        ({"raw": b""}, "unreachable"),
        ({"delay_seconds": 60}, "timeout"),
    ],
)
async def test_a_receiver_that_does_not_take_it_is_tried_again_and_given_up(
    alice: Client,
    receiver: Receiver,
    delivering: None,
    settings: Settings,
    behaviour: dict[str, Any],
    outcome: str,
) -> None:
    settings.WEBHOOKS_TIMEOUT_SECONDS = 0.5 if outcome == "timeout" else 20
    vars(receiver).update(behaviour)
    await hook(receiver.url)
    await asked(alice, await converse(alice), "Holdfast")
    over = await done()
    assert (over.state, over.attempts, over.last_outcome) == ("dead", 3, outcome)
    assert {got.path for got in receiver.received} == {"/hook"}
    assert {got.headers["webhook-id"] for got in receiver.received} == {str(over.id)}


async def test_a_receiver_that_is_down_costs_nothing_and_gets_it_later(
    alice: Client, receiver: Receiver, delivering: None, settings: Settings
) -> None:
    settings.WEBHOOKS_ATTEMPTS = 10_000
    receiver.status = 503
    await hook(receiver.url)
    await asked(alice, await converse(alice), "Holdfast")
    await receiver.count(2)
    receiver.status = 204
    assert (await done()).state == "delivered"


async def test_an_answer_without_end_is_not_read_to_its_end(
    alice: Client, receiver: Receiver, delivering: None
) -> None:
    receiver.endless = True
    await hook(receiver.url)
    await asked(alice, await converse(alice), "Holdfast")
    assert (await done()).state == "delivered"
    assert receiver.sent_bytes < 16 * 2**20


async def test_one_who_is_gone_is_not_asked_again(
    alice: Client, receiver: Receiver, delivering: None
) -> None:
    receiver.status = 410
    await hook(receiver.url)
    await asked(alice, await converse(alice), "Holdfast")
    over = await done()
    assert (over.state, over.attempts) == ("dead", 1)


async def test_several_workers_share_what_waits(alice: Client) -> None:
    await hook("http://127.0.0.1:9/a")
    conversation = await converse(alice)
    for _ in range(3):
        await asked(alice, conversation, "Holdfast")
    first = await threads.write(outbox.claim, 2, [])
    second = await threads.write(outbox.claim, 2, [])
    assert (len(first), len(second)) == (2, 1)
    assert not {one.id for one in first} & {one.id for one in second}
    assert await threads.write(outbox.claim, 2, []) == []


async def test_an_attempt_that_lost_its_claim_decides_nothing(alice: Client) -> None:
    await hook("http://127.0.0.1:9/a")
    await asked(alice, await converse(alice), "Holdfast")
    [late] = await threads.write(outbox.claim, 1, [])
    await threads.write(lambda: Delivery.objects.update(next_at=timezone.now()))
    [taker] = await threads.write(outbox.claim, 1, [])
    assert (taker.id, taker.attempt) == (late.id, 2)

    def finish() -> None:
        outbox.finish(late, "timeout", delivered=False, final=True)

    await threads.write(finish)
    [row] = await deliveries()
    assert row.state == "waiting"
    await threads.write(outbox.give_back, taker)
    [again] = await threads.write(outbox.claim, 1, [])
    assert (again.id, again.attempt, again.body) == (late.id, 2, late.body)


async def test_a_webhook_that_was_deleted_this_instant_costs_no_reply_its_end(
    alice: Client,
) -> None:
    made = await hook("http://127.0.0.1:9/a")
    await threads.write(outbox.look)
    await threads.write(lambda: Webhook.objects.filter(pk=made.pk)._raw_delete("default"))
    reply = await asked(alice, await converse(alice), "Holdfast")
    assert reply
    assert len(await deliveries()) == 1
    assert await threads.write(outbox.claim, 1, []) == []
    assert await deliveries() == []


async def test_what_waits_for_a_webhook_that_is_switched_off_is_in_nobody_s_way(
    alice: Client,
) -> None:
    off = await hook("http://127.0.0.1:9/a")
    conversation = await converse(alice)
    for _ in range(3):
        await asked(alice, conversation, "Holdfast")

    def switch(on: bool) -> None:
        Webhook.objects.filter(pk=off.pk).update(enabled=on)
        outbox.forget()

    await threads.write(switch, False)
    other = await hook("http://127.0.0.1:9/b")
    await asked(alice, conversation, "Holdfast")
    assert [one.webhook_id for one in await threads.write(outbox.claim, 2, [])] == [other.pk]
    waiting = [one for one in await deliveries() if one.webhook_id == off.pk]
    assert [one.attempts for one in waiting] == [0, 0, 0]

    await threads.write(switch, True)
    assert [one.attempt for one in await threads.write(outbox.claim, 4, [])] == [1, 1, 1]


async def test_certificates_are_read_once_and_not_for_each_delivery(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await outgoing.post(receiver.url, b"{}", {}, seconds=5)
    read: list[Any] = []
    monkeypatch.setattr(
        ssl.SSLContext, "load_verify_locations", lambda *files, **named: read.append(files)
    )
    assert (await outgoing.post(receiver.url, b"{}", {}, seconds=5)).taken
    assert read == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:169.254.169.254", False),
        ("::ffff:93.184.215.14", True),
        ("64:ff9b::a9fe:a9fe", False),
        ("2002:a9fe:a9fe::1", False),
    ],
)
def test_an_address_of_our_own_network_is_none_however_it_is_written(
    address: str, public: bool
) -> None:
    assert outgoing.is_public(address) is public


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "[::1]", "[::ffff:127.0.0.1]"]
)
async def test_nothing_goes_to_private_addresses_unless_allowed(
    receiver: Receiver, settings: Settings, host: str
) -> None:
    settings.WEBHOOKS_ALLOW_PRIVATE = False
    url = f"http://{host}:{receiver.port}/hook"
    answer = await outgoing.post(url, b"{}", {}, seconds=20)
    assert answer.outcome in ("private_address", "unreachable")
    assert receiver.received == []


@pytest.mark.parametrize("url", ["ftp://a.example/", "http://me:you@127.0.0.1/", "http://", "x"])
async def test_an_address_that_is_none_is_refused(url: str) -> None:
    assert (await outgoing.post(url, b"{}", {}, seconds=5)).status == 0


async def test_a_name_is_resolved_once_and_that_address_is_connected_to(
    receiver: Receiver, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    answers = [[(2, 1, 6, "", ("127.0.0.1", receiver.port))]]

    async def getaddrinfo(host: str, port: int, **rest: Any) -> Any:
        return answers.pop()

    monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)
    url = f"http://rebinding.example:{receiver.port}/hook"
    answer = await outgoing.post(url, b"{}", {}, seconds=20)
    assert answer.status == 200 and answers == []
    assert receiver.received[0].headers["host"] == f"rebinding.example:{receiver.port}"
    settings.WEBHOOKS_ALLOW_PRIVATE = False
    answers.append([(2, 1, 6, "", ("127.0.0.1", receiver.port))])
    refused = await outgoing.post(url, b"{}", {}, seconds=20)
    assert refused.outcome == "private_address" and len(receiver.received) == 1


async def staff() -> Client:
    client = Client()
    make = get_user_model().objects.create_superuser
    await client.aforce_login(await threads.write(lambda: make("root", password="x")))
    return client


async def test_staff_make_a_webhook_see_its_secret_once_and_send_again(
    alice: Client, receiver: Receiver, delivering: None
) -> None:
    root = await staff()
    receiver.status = 410
    form = {"url": receiver.url, "enabled": "on"}
    page = await root.post(reverse("admin:holdfast_conversations_webhook_add"), form)
    made = await threads.read(Webhook.objects.get)
    assert made.secret in page.content.decode()
    change = reverse("admin:holdfast_conversations_webhook_change", args=[made.pk])
    assert made.secret not in (await root.get(change)).content.decode()
    outbox.forget()
    await asked(alice, await converse(alice), "Holdfast")
    dead = await done()
    changelist = reverse("admin:holdfast_conversations_delivery_changelist")
    shown = (await root.get(changelist)).content.decode()
    assert str(dead.id) in shown and "status 410" in shown and made.secret not in shown
    hooks = reverse("admin:holdfast_conversations_webhook_changelist")
    assert made.secret not in (await root.get(hooks)).content.decode()
    receiver.status = 200
    chosen = {"action": "send_again", "_selected_action": [str(dead.id)]}
    assert (await root.post(changelist, chosen)).status_code == 302

    async def is_delivered() -> bool:
        return [one.state for one in await deliveries()] == ["delivered"]

    await until(is_delivered)
    first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    page = await root.post(change, {**form, "renew": "on"})
    again = await threads.read(Webhook.objects.get)
    assert again.secret != made.secret and again.secret in page.content.decode()


async def test_an_address_with_a_password_in_it_is_not_taken(current_worker: Any) -> None:
    root = await staff()
    form = {"url": "https://me:secret@hooks.example/", "enabled": "on"}
    page = await root.post(reverse("admin:holdfast_conversations_webhook_add"), form)
    assert page.status_code == 200
    assert await threads.read(Webhook.objects.count) == 0


async def test_reports_of_a_person_go_with_them(alice: Client) -> None:
    await hook("http://127.0.0.1:9/a", with_content=True)
    await asked(alice, await converse(alice), "Holdfast")
    assert len(await deliveries()) == 1
    body = {"confirm": "alice"}
    await sync_to_async(alice.user.set_unusable_password)()
    await threads.write(alice.user.save)
    await alice.aforce_login(alice.user)
    assert (await alice.ask("DELETE", "/api/account", body)).status_code == 204
    assert await deliveries() == []


def _deleted_by_staff(user: Any) -> None:
    delete_users(get_user_model().objects.filter(pk=user.pk))


def _purged(user: Any) -> None:
    long_ago = timezone.now() - timedelta(days=90)
    Guest.objects.create(user=user)
    Guest.objects.update(created_at=long_ago)
    get_user_model().objects.filter(pk=user.pk).update(last_login=long_ago)
    Conversation.objects.filter(owner=user).update(updated_at=long_ago)
    call_command("purge_guests", verbosity=0)


def _deleted_in_code(user: Any) -> None:
    user.delete()


@pytest.mark.parametrize("way", [_deleted_by_staff, _purged, _deleted_in_code])
async def test_reports_go_with_a_person_who_is_deleted_and_nobody_else_s(
    alice: Client, bob: Client, way: Callable[[Any], None]
) -> None:
    await hook("http://127.0.0.1:9/a", with_content=True)
    for client in (alice, bob):
        await asked(client, await converse(client), "Holdfast")
    await threads.write(way, alice.user)
    assert not await threads.read(get_user_model().objects.filter(username="alice").exists)
    assert [one.owner_key for one in await deliveries()] == [str(bob.user.pk)]


async def test_reports_of_a_person_go_where_other_data_keeps_the_closed_account(
    alice: Client,
) -> None:
    def hold(**told: Any) -> None:
        raise ProtectedError("an invoice names this user", set())

    await hook("http://127.0.0.1:9/a", with_content=True)
    await asked(alice, await converse(alice), "Holdfast")
    users = get_user_model()
    pre_delete.connect(hold, sender=users)
    try:
        await leave(alice.user)
    finally:
        pre_delete.disconnect(hold, sender=users)
    assert await threads.read(users.objects.filter(username="alice", is_active=False).exists)
    assert await deliveries() == []


async def test_reports_of_a_guest_go_with_the_user_who_took_them(
    clients: Any, alice: Client, settings: Settings
) -> None:
    settings.ALLOW_GUESTS = True
    await hook("http://127.0.0.1:9/a", with_content=True)
    guest = await clients("")
    await asked(guest, await converse(guest), "Holdfast")
    row = await threads.read(Guest.objects.get)
    await threads.write(guests.adopt, row.user_id, alice.user.pk)
    assert [one.owner_key for one in await deliveries()] == [str(alice.user.pk)]
    await threads.write(_deleted_in_code, alice.user)
    assert await deliveries() == []


def test_pauses_grow_to_six_hours(settings: Settings) -> None:
    settings.WEBHOOKS_RETRY_SECONDS = 5
    pauses = [outbox.pause(attempt).total_seconds() for attempt in (1, 2, 3, 50)]
    wanted = [5, 20, 80, 6 * 3600]
    assert all(0.8 * want <= got <= 1.2 * want for got, want in zip(pauses, wanted, strict=True))
