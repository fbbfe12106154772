"""Who may open a socket: pages of this site alone, signed in."""

import json
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from pytest_django import Settings

from conversations.routing import BAD_ORIGIN, is_same_origin, websocket
from streaming.consumers import NOT_SIGNED_IN
from tests.conftest import Client
from tests.conversations.chatting import asked, converse, new_id, script


@pytest.mark.parametrize(
    ("origin", "host", "same"),
    [
        ("http://localhost", "localhost", True),
        ("https://localhost", "localhost", True),
        ("http://localhost:8000", "localhost:8000", True),
        ("http://LOCALHOST:8000", "localhost:8000", True),
        ("http://localhost:8000", "localhost:8001", False),
        ("http://localhost", "localhost:8000", False),
        ("http://evil.example", "localhost", False),
        ("http://localhost.evil.example", "localhost", False),
        ("http://evil.example", "evil.example", False),
        ("null", "localhost", False),
        ("", "localhost", False),
        ("", "", False),
        ("file://localhost", "localhost", False),
        ("http://[", "localhost", False),
        ("http://user@localhost", "localhost", False),
    ],
)
def test_only_pages_of_this_site_may_open_sockets(
    settings: Settings, origin: str, host: str, same: bool
) -> None:
    settings.ALLOWED_HOSTS = ["localhost"]
    assert is_same_origin(origin, host) is same


def test_a_trusted_origin_may(settings: Settings) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["https://front.example"]
    assert is_same_origin("https://front.example", "localhost")


@pytest.mark.parametrize(
    ("trusted", "origin", "same"),
    [
        ("https://*.front.example", "https://shop.front.example", True),
        ("https://*.front.example", "https://front.example", True),
        ("https://*.front.example", "http://shop.front.example", False),
        ("https://*.front.example", "https://badfront.example", False),
        ("https://front.example", "https://shop.front.example", False),
        ("https://front.example:8443", "https://front.example:8443", True),
        ("https://front.example:8443", "https://front.example", False),
        ("https://front.example", "", False),
        ("https://front.example", "null", False),
    ],
)
def test_an_entry_of_trusted_origins_means_what_it_means_to_django(
    settings: Settings, trusted: str, origin: str, same: bool
) -> None:
    settings.CSRF_TRUSTED_ORIGINS = [trusted]
    assert is_same_origin(origin, "localhost") is same


def test_without_allowed_hosts_a_project_in_development_is_its_own_origin(
    settings: Settings,
) -> None:
    settings.ALLOWED_HOSTS = []
    assert not is_same_origin("http://localhost:8000", "localhost:8000")
    settings.DEBUG = True
    assert is_same_origin("http://localhost:8000", "localhost:8000")
    assert not is_same_origin("http://evil.example", "evil.example")


async def test_without_a_channel_layer_a_socket_serves_all_but_sync_events(
    alice: Client, settings: Settings
) -> None:
    settings.CHANNEL_LAYERS = {}
    conversation = await converse(alice)
    communicator = socket(alice)
    assert (await communicator.connect(timeout=5))[0]
    question = {"type": "send", "conversation_id": conversation, "content": "Holdfast"}
    await communicator.send_to(text_data=json.dumps(question))
    heard = await hear_until(communicator, "ended")
    assert "".join(event["text"] for event in heard if event["type"] == "delta") == "Holdfast"
    await communicator.disconnect(timeout=5)


def socket(
    client: Client | None,
    *,
    origin: str = "http://localhost",
    path: str = "/ws/chat/",
    **further: str,
) -> Any:
    headers = [(b"host", b"localhost"), (b"origin", origin.encode())]
    headers += [(name.replace("_", "-").encode(), text.encode()) for name, text in further.items()]
    if client is not None:
        cookies = [f"{name}={morsel.value}" for name, morsel in client.cookies.items()]
        headers.append((b"cookie", "; ".join(cookies).encode()))
    return WebsocketCommunicator(websocket, path, headers=headers)


async def hear_until(communicator: Any, kind: str) -> list[dict[str, Any]]:
    heard: list[dict[str, Any]] = []
    while not heard or heard[-1]["type"] != kind:
        output = await communicator.receive_output(timeout=5)
        assert output["type"] == "websocket.send", output
        heard.append(json.loads(output["text"]))
    return heard


async def test_another_site_is_refused_before_it_is_accepted(alice: Client) -> None:
    communicator = socket(alice, origin="http://evil.example")
    assert await communicator.connect(timeout=5) == (False, BAD_ORIGIN)


async def test_nobody_is_accepted_and_told_to_sign_in(charlie: Client) -> None:
    communicator = socket(charlie)
    assert (await communicator.connect(timeout=5))[0]
    assert await communicator.receive_output(timeout=5) == {
        "type": "websocket.close",
        "code": NOT_SIGNED_IN,
    }


async def test_other_paths_are_closed(alice: Client) -> None:
    assert (await socket(alice, path="/ws/else/").connect(timeout=5))[0] is False


async def test_a_question_over_the_socket_is_accepted_then_followed(alice: Client) -> None:
    conversation = await converse(alice)
    communicator = socket(alice)
    await communicator.connect(timeout=5)
    reply_id = new_id()
    question = {
        "type": "send",
        "ref": "r1",
        "conversation_id": conversation,
        "content": "Holdfast",
        "reply_id": reply_id,
    }
    await communicator.send_to(text_data=json.dumps(question))
    heard = await hear_until(communicator, "ended")
    of_run = [e for e in heard if e.get("run_id") == reply_id or e.get("ref") == "r1"]
    kinds = [event["type"] for event in of_run]
    assert kinds.index("accepted") < kinds.index("started")
    assert "".join(e["text"] for e in of_run if e["type"] == "delta") == "Holdfast"
    await communicator.disconnect(timeout=5)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"conversation_id": new_id()}, "not_found"),
        ({"content": ""}, "invalid_field"),
        ({"conversation_id": "x"}, "invalid_field"),
        ({"model": "nobody"}, "unknown_model"),
        ({"type": "fly"}, "invalid_field"),
    ],
)
async def test_a_bad_question_gets_the_contract_s_error(
    alice: Client, change: dict[str, Any], code: str
) -> None:
    conversation = await converse(alice)
    communicator = socket(alice)
    await communicator.connect(timeout=5)
    question = {"type": "send", "ref": 1, "conversation_id": conversation, "content": "x"}
    await communicator.send_to(text_data=json.dumps({**question, **change}))
    error = (await hear_until(communicator, "error"))[-1]
    assert (error["ref"], error["error"]["code"]) == (1, code)
    await communicator.disconnect(timeout=5)


@pytest.mark.parametrize("way", ["header", "cookie"])
async def test_errors_speak_the_language_of_whoever_opened_the_socket(
    alice: Client, settings: Settings, way: str
) -> None:
    conversation = await converse(alice)
    if way == "cookie":
        alice.cookies[settings.LANGUAGE_COOKIE_NAME] = "zh-hans"
        communicator = socket(alice, accept_language="en")
    else:
        communicator = socket(alice, accept_language="zh-CN,zh;q=0.9,en;q=0.5")
    await communicator.connect(timeout=5)
    question = {"type": "send", "conversation_id": conversation, "content": "x"}
    nobody_s = {"run_id": new_id()}
    said = {
        "{": "消息不是 JSON。",
        json.dumps({"type": "fly"}): "有字段不符合要求。",
        json.dumps({"type": "follow", **nobody_s}): "这里什么都没有。",
        json.dumps({"type": "stop", **nobody_s}): "这里什么都没有。",
        json.dumps({**question, "model": "nobody"}): "不提供此模型。",
        json.dumps({**question, "content": ""}): "content: 不能为空",
        json.dumps({**question, "attachments": [new_id()]}): "attachments：没有这个文件",
    }
    for message, expected in said.items():
        await communicator.send_to(text_data=message)
        error = (await hear_until(communicator, "error"))[-1]["error"]
        assert error["message"] == expected, (message, error)
    await communicator.disconnect(timeout=5)


async def test_bob_can_neither_follow_nor_stop_nor_ask_what_is_alice_s(
    alice: Client, bob: Client
) -> None:
    conversation = await converse(alice)
    run_id = await asked(alice, conversation, "Holdfast")
    communicator = socket(bob)
    await communicator.connect(timeout=5)
    for message in (
        {"type": "follow", "run_id": run_id},
        {"type": "stop", "run_id": run_id},
        {"type": "send", "conversation_id": conversation, "content": "x"},
    ):
        await communicator.send_to(text_data=json.dumps(message))
        error = (await hear_until(communicator, "error"))[-1]
        assert error["error"]["code"] == "not_found"
    await communicator.disconnect(timeout=5)


async def test_stop_over_the_socket(alice: Client) -> None:
    conversation = await converse(alice)
    communicator = socket(alice)
    await communicator.connect(timeout=5)
    question = {
        "type": "send",
        "conversation_id": conversation,
        "content": script({"text": "kept"}, {"stall": True}),
    }
    await communicator.send_to(text_data=json.dumps(question))
    run_id = (await hear_until(communicator, "delta"))[-1]["run_id"]
    await communicator.send_to(text_data=json.dumps({"type": "stop", "run_id": run_id}))
    ended = (await hear_until(communicator, "ended"))[-1]
    assert (ended["status"], ended["reason"]) == ("stopped", "user")
    await communicator.disconnect(timeout=5)


async def test_other_tabs_learn_of_a_run_and_its_end_with_rising_revisions(alice: Client) -> None:
    communicator = socket(alice)
    await communicator.connect(timeout=5)
    await communicator.send_to(text_data=json.dumps({"type": "ping"}))
    revision = (await hear_until(communicator, "pong"))[-1]["revision"]
    conversation = await converse(alice)
    await asked(alice, conversation, "Hello")
    heard = await hear_until(communicator, "run.ended")
    kinds = [event["type"] for event in heard]
    assert {"conversation.created", "message.created", "run.started", "run.ended"} <= set(kinds)
    revisions = [event["revision"] for event in heard]
    assert revisions == sorted(revisions) and revisions[0] > revision
    await communicator.disconnect(timeout=5)


async def test_a_socket_ends_soon_after_its_person_signs_out(alice: Client) -> None:
    communicator = socket(alice)
    assert (await communicator.connect(timeout=5))[0]
    await communicator.send_to(text_data=json.dumps({"type": "ping"}))
    await hear_until(communicator, "pong")
    await sync_to_async(alice.logout)()
    output = await communicator.receive_output(timeout=5)
    assert (output["type"], output["code"]) == ("websocket.close", NOT_SIGNED_IN)
