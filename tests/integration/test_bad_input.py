"""Bad input of every kind: the contract's error, nothing stored, nothing logged as an error."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from urllib.parse import quote

import pytest
from websockets.exceptions import ConnectionClosed

from tests.integration.client import Client, Refused, Response, new_id
from tests.integration.databases import CONVERSATIONS, MESSAGES, RUNS, SQLite, count
from tests.integration.scripts import script
from tests.integration.servers import Server, eventually
from tests.integration.socket_client import Socket

TABLES = (CONVERSATIONS, MESSAGES, RUNS)
SECRET_WORDS = ("Traceback", "Exception", "psycopg", "sqlite", 'File "')
TEN_MEGABYTES = 10 * 2**20


@dataclass
class World:
    """A server with the conversations of Alice, of Bob, and of Charlie, who has none."""

    server: Server
    alice: Client
    bob: Client
    charlie: Client
    conversation: str
    """Alice's."""
    reply: str
    question: str
    of_bob: str
    reply_of_bob: str
    question_of_bob: str

    @property
    def messages(self) -> str:
        return f"/api/conversations/{self.conversation}/messages"

    def stored(self) -> dict[str, int]:
        return {table: count(self.server.database, table) for table in TABLES}


@pytest.fixture(scope="module", params=["uvicorn", "daphne"])
def server(request: pytest.FixtureRequest, sqlite: SQLite) -> Iterator[Server]:
    found = Server(kind=request.param, database=sqlite.new())
    asyncio.run(found.start())
    yield found
    found.discard()


@pytest.fixture(scope="module")
def inhabited(server: Server) -> World:
    return asyncio.run(_inhabit(server))


@pytest.fixture
async def world(inhabited: World) -> AsyncIterator[World]:
    """The world, which must be the same after the test."""
    before, mark = inhabited.stored(), inhabited.server.mark()
    yield inhabited
    for client in (inhabited.alice, inhabited.bob, inhabited.charlie):
        await client.discard()
    assert inhabited.stored() == before, "bad input was stored"
    errors = inhabited.server.errors(mark)
    assert not errors, errors


def expect(answer: Response, status: int, code: str, *, case: object = "") -> None:
    """Check status, code and shape of an error, and that it tells nothing of our inside."""
    seen = f"{case}: {answer.status} {answer.body[:300]!r}"
    assert answer.status == status, f"expected {status} {code}, {seen}"
    assert answer.code == code, f"expected {code}, {seen}"
    error = answer.json()["error"]
    assert isinstance(error["message"], str) and error["message"], seen
    assert isinstance(error["retryable"], bool), seen
    for word in SECRET_WORDS:
        assert word not in error["message"], seen


FORM = b'--x\r\nContent-Disposition: form-data; name="content"\r\n\r\nhello\r\n--x--\r\n'
BROKEN_JSON = [
    b'["a list"]',
    b'"a string"',
    b"5",
    b"null",
    b"{",
    b"not json",
    b'{"content": }',
    b"\xff\xfe\x00",
    b"[" * 100_000,
]


@pytest.mark.parametrize("body", BROKEN_JSON, ids=lambda body: repr(body[:12]))
async def test_malformed_json_is_bad_json(world: World, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    for path in (world.messages, "/api/conversations"):
        answer = await world.alice.post(path, body, headers=headers)
        expect(answer, 400, "bad_json", case=(path, body[:20]))


@pytest.mark.parametrize("body", [b"", b'{"content": "\xed\xa0\x80"}', b'{"content": NaN}'])
async def test_bodies_that_are_nearly_json_make_no_message(world: World, body: bytes) -> None:
    answer = await world.alice.post(world.messages, body)
    assert (answer.status, answer.code) in ((400, "bad_json"), (422, "invalid_field")), answer.body


WRONG_FIELDS: list[dict[str, object]] = [
    {},
    {"content": None},
    {"content": 5},
    {"content": ["hello"]},
    {"content": {"text": "hello"}},
    {"content": "hello", "id": "not a uuid"},
    {"content": "hello", "id": 5},
    {"content": "hello", "reply_id": "zzz"},
    {"content": "hello", "reply_id": [new_id()]},
    {"content": "hello", "parent_id": 5},
    {"content": "hello", "parent_id": {}},
    {"content": "hello", "on_disconnect": "explode"},
    {"content": "hello", "model": 7},
    {"content": "hello\u0000"},
    {"content": "hello \ud800"},
]


@pytest.mark.parametrize("fields", WRONG_FIELDS, ids=lambda fields: json.dumps(fields)[:40])
async def test_wrong_fields_are_named(world: World, fields: dict[str, object]) -> None:
    answer = await world.alice.post(world.messages, fields)
    expect(answer, 422, "invalid_field", case=fields)
    wrong = set(fields) - {"content"} or {"content"}
    assert any(name in answer.body.decode() for name in wrong), answer.body


WRONG_CONVERSATIONS: list[dict[str, object]] = [
    {"title": 5},
    {"settings": "hot"},
    {"settings": {"temperature": "hot"}},
    {"settings": {"temperature": 99}},
    {"settings": {"max_output_tokens": -1}},
    {"id": "zzz"},
    {"title": "x" * 100_000},
    {"system_prompt": "\u0000"},
]


@pytest.mark.parametrize("body", WRONG_CONVERSATIONS, ids=lambda body: json.dumps(body)[:40])
async def test_wrong_conversations_are_refused(world: World, body: dict[str, object]) -> None:
    answer = await world.alice.post("/api/conversations", body)
    expect(answer, 422, "invalid_field", case=body)


async def test_an_unknown_model_is_unknown(world: World) -> None:
    answer = await world.alice.post(world.messages, {"content": "hello", "model": "no such"})
    expect(answer, 422, "unknown_model")
    answer = await world.alice.post("/api/conversations", {"model": "no such"})
    expect(answer, 422, "unknown_model")


async def test_another_content_type_is_unsupported(world: World) -> None:
    # The forms are well-formed: others daphne answers by itself, with 400 and no body.
    bodies = {
        "text/plain": b'{"content": "hello"}',
        "application/x-www-form-urlencoded": b"content=hello",
        "multipart/form-data; boundary=x": FORM,
    }
    for media, body in bodies.items():
        answer = await world.alice.post(world.messages, body, headers={"Content-Type": media})
        expect(answer, 415, "unsupported_type", case=media)


async def test_ten_megabytes_are_too_large(world: World) -> None:
    body = json.dumps({"content": "x" * TEN_MEGABYTES}).encode()
    for path in (world.messages, "/api/conversations"):
        try:
            answer = await world.alice.post(path, body)
        except (Refused, OSError):
            continue  # the server hung up on us in the middle of it, which it may
        expect(answer, 413, "too_large", case=path)
    assert (await world.alice.get("/healthz")).status == 200


async def test_a_long_message_is_refused_by_name(world: World) -> None:
    answer = await world.alice.post(world.messages, {"content": "x" * 1_000_000})
    assert answer.status in (413, 422), answer.body[:300]
    assert answer.code in ("too_large", "invalid_field")


async def test_unknown_ids_are_not_found(world: World) -> None:
    for method, path in _paths(new_id(), new_id(), new_id()):
        answer = await world.alice.request(method, path, _body_for(path))
        expect(answer, 404, "not_found", case=(method, path))


async def test_what_belongs_to_somebody_else_is_not_found(world: World) -> None:
    for who in (world.alice, world.charlie):
        for method, path in _paths(world.of_bob, world.question_of_bob, world.reply_of_bob):
            answer = await who.request(method, path, _body_for(path))
            expect(answer, 404, "not_found", case=(who.name, method, path))


async def test_ids_that_are_no_ids_are_not_found(world: World) -> None:
    for odd in ("zzz", "1", "00000000", "%00", "..", "a" * 3000):
        for method, path in _paths(odd, odd, odd):
            answer = await world.alice.request(method, path, _body_for(path))
            assert 400 <= answer.status < 500, (method, path[:80], answer.status)
            if odd not in ("%00", ".."):
                expect(answer, 404, "not_found", case=(method, path[:80]))


async def test_ids_of_others_cannot_be_reused(world: World) -> None:
    """Neither as an id of one's own, nor as a parent."""
    theirs: list[dict[str, object]] = [
        {"content": "hello", "id": world.question_of_bob},
        {"content": "hello", "reply_id": world.reply_of_bob},
        {"content": "hello", "parent_id": world.reply_of_bob},
        {"content": "hello", "parent_id": new_id()},
    ]
    for fields in theirs:
        answer = await world.alice.post(world.messages, fields)
        assert answer.status in (404, 409, 422), (fields, answer.status, answer.body)
        assert answer.code in ("not_found", "id_reused", "invalid_field"), answer.body
    answer = await world.alice.post("/api/conversations", {"id": world.of_bob})
    assert answer.status in (404, 409, 422), (answer.status, answer.body)


async def test_the_same_reply_with_another_body_is_id_reused(world: World) -> None:
    body = {"content": "another question", "reply_id": world.reply}
    answer = await world.alice.post(world.messages, body)
    expect(answer, 409, "id_reused")


async def test_bad_cursors_are_bad_cursor_and_name_the_end(world: World) -> None:
    path = f"/api/runs/{world.reply}/events"
    bad = ("x", "1", "-1-0", "1-99999", "2-1", "0-5", "1-1.5", "1-0x1", "9999999-1", "1-٣", "1-1-1")
    for cursor in bad:
        answer = await world.alice.get(f"{path}?after={_quoted(cursor)}")
        expect(answer, 400, "bad_cursor", case=cursor)
        assert answer.json()["error"]["cursor"] == "1-5", answer.body
    headers = {"Last-Event-ID": "nonsense"}
    answer = await world.alice.request("GET", path, headers=headers)
    expect(answer, 400, "bad_cursor")


async def test_nobody_signed_in_is_told_so(world: World) -> None:
    nobody = Client(world.server)
    for path in (world.messages, f"/api/runs/{world.reply}/events"):
        answer = await nobody.get(path)
        expect(answer, 401, "not_signed_in", case=path)


async def test_an_unsafe_request_without_its_token_is_csrf_failed(world: World) -> None:
    headers = {"X-CSRFToken": "wrong"}
    answer = await world.alice.post(world.messages, {"content": "hello"}, headers=headers)
    expect(answer, 403, "csrf_failed")
    headers = {"Origin": "http://evil.example"}
    answer = await world.alice.post(world.messages, {"content": "hello"}, headers=headers)
    assert answer.status == 403 and answer.code in ("csrf_failed", "bad_origin"), answer.body


async def test_unknown_paths_and_methods_answer_in_json(world: World) -> None:
    answer = await world.alice.get("/api/nothing-here")
    expect(answer, 404, "not_found")
    answer = await world.alice.request("PUT", world.messages, {"content": "hello"})
    expect(answer, 405, "method_not_allowed")


BAD_FRAMES: list[str | bytes] = [
    "",
    "{",
    "null",
    "5",
    "[]",
    '"text"',
    "{}",
    '{"type": 5}',
    '{"type": "explode"}',
    '{"type": "follow"}',
    '{"type": "follow", "run_id": "zzz"}',
    '{"type": "follow", "run_id": null, "after": 5}',
    '{"type": "stop", "run_id": {}}',
    '{"type": "send"}',
    '{"type": "send", "conversation_id": "zzz", "content": "hello"}',
    '{"type": "send", "conversation_id": 5, "content": 5}',
    '{"type": "accepted"}',
    "[" * 50_000,
    '{"type": "follow", "run_id": "\\ud800"}',
    b"",
    b"\x00\x01\x02",
    b'{"type": "ping"}',
]


async def test_bad_and_binary_frames_get_an_error_and_the_socket_stays(world: World) -> None:
    ws = await Socket.open(world.alice)
    for number, frame in enumerate(BAD_FRAMES):
        await ws.say_raw(frame)
        await ws.say(type="ping", ref=number)
        await _pongs(ws, number + 1, frame)
        errors = [m for m in ws.messages if m["type"] == "error"]
        assert len(errors) == number + 1, f"no error for {frame[:60]!r}: {ws.messages[-2:]}"
        assert errors[-1]["error"]["code"] in (
            "bad_json",
            "invalid_field",
            "unsupported_type",
            "not_found",
        ), (frame[:60], errors[-1])
    await ws.discard()


async def test_bad_cursors_and_others_runs_over_the_socket(world: World) -> None:
    ws = await Socket.open(world.alice)
    await ws.say(type="follow", ref="a", run_id=world.reply, after="1-99999")
    error = await ws.heard(type="error", ref="a")
    assert (error["error"]["code"], error["error"]["cursor"]) == ("bad_cursor", "1-5")
    await ws.say(type="follow", ref="b", run_id=world.reply, after="nonsense")
    assert (await ws.heard(type="error", ref="b"))["error"]["code"] == "bad_cursor"
    for ref, kind in (("c", "follow"), ("d", "stop")):
        await ws.say(type=kind, ref=ref, run_id=world.reply_of_bob)
        assert (await ws.heard(type="error", ref=ref))["error"]["code"] == "not_found"
    await ws.say(type="send", ref="e", conversation_id=world.of_bob, content="hello")
    assert (await ws.heard(type="error", ref="e"))["error"]["code"] == "not_found"
    await ws.discard()


async def test_a_frame_of_ten_megabytes_closes_the_socket(world: World) -> None:
    ws = await Socket.open(world.alice)
    with contextlib.suppress(ConnectionClosed):  # it may close in the middle of our frame
        await ws.say(type="send", conversation_id=world.conversation, content="x" * TEN_MEGABYTES)
    assert await ws.until_closed() in (4413, 1009, 1006)
    await ws.discard()


async def _pongs(ws: Socket, number: int, frame: str | bytes) -> None:
    await eventually(
        lambda: sum(m["type"] == "pong" for m in ws.messages) >= number or ws.close_code,
        5,
        lambda: f"no answer after {frame[:60]!r}: {ws.messages[-3:]}",
    )
    assert ws.close_code is None, f"the socket closed with {ws.close_code} after {frame[:60]!r}"


async def _inhabit(server: Server) -> World:
    alice = await Client.sign_in(server, "Alice")
    bob = await Client.sign_in(server, "Bob")
    charlie = await Client.sign_in(server, "Charlie")
    await charlie.new_conversation()
    conversation, question, reply = await _one_reply(alice)
    of_bob, question_of_bob, reply_of_bob = await _one_reply(bob)
    return World(
        server,
        alice,
        bob,
        charlie,
        conversation,
        reply,
        question,
        of_bob,
        reply_of_bob,
        question_of_bob,
    )


async def _one_reply(client: Client) -> tuple[str, str, str]:
    conversation = await client.new_conversation()
    question = new_id()
    content = script({"text": "hello"}, {"finish": "stop"})
    reader = await client.send(conversation, content, id=question)
    await reader.until_ended()
    await client.discard()
    return conversation, question, reader.ledger.run_id


def _paths(conversation: str, question: str, reply: str) -> list[tuple[str, str]]:
    return [
        ("GET", f"/api/conversations/{conversation}"),
        ("PATCH", f"/api/conversations/{conversation}"),
        ("DELETE", f"/api/conversations/{conversation}"),
        ("GET", f"/api/conversations/{conversation}/messages"),
        ("POST", f"/api/conversations/{conversation}/messages"),
        ("POST", f"/api/messages/{reply}/regenerate"),
        ("POST", f"/api/messages/{question}/edit"),
        ("POST", f"/api/messages/{reply}/continue"),
        ("GET", f"/api/runs/{reply}/events"),
        ("POST", f"/api/runs/{reply}/stop"),
    ]


def _body_for(path: str) -> dict[str, object] | None:
    if path.endswith(("/messages", "/edit")):
        return {"content": "hello"}
    if path.endswith("/continue"):
        return {"after": "1-5"}
    return {} if "/runs/" not in path else None


def _quoted(text: str) -> str:
    return quote(text)
