"""Alice owns it, Bob is signed in, Charlie is not: every endpoint, every one of them."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from conversations.models import Attachment, Conversation, Guest, Message, Prompt
from streaming import threads
from tests.conftest import Client
from tests.conversations.chatting import asked, converse, error_of, new_id

OWNED = [
    ("GET", "/api/conversations/{conversation}", None),
    ("PATCH", "/api/conversations/{conversation}", {"title": "Mine"}),
    ("DELETE", "/api/conversations/{conversation}", None),
    ("GET", "/api/conversations/{conversation}/messages", None),
    ("POST", "/api/conversations/{conversation}/messages", {"content": "Hi"}),
    ("POST", "/api/messages/{reply}/regenerate", {}),
    ("POST", "/api/messages/{question}/edit", {"content": "Hi"}),
    ("POST", "/api/messages/{reply}/continue", {"after": "1-5"}),
    ("DELETE", "/api/messages/{question}", None),
    ("POST", "/api/messages/{reply}/feedback", {"rating": 1}),
    ("POST", "/api/runs/{reply}/stop", {}),
    ("GET", "/api/runs/{reply}/events", None),
    ("GET", "/api/conversations/{conversation}/share", None),
    ("POST", "/api/conversations/{conversation}/share", {}),
    ("DELETE", "/api/conversations/{conversation}/share", None),
    ("GET", "/api/conversations/{conversation}/export", None),
    ("GET", "/api/attachments/{attachment}", None),
    ("DELETE", "/api/attachments/{attachment}", None),
    ("PATCH", "/api/prompts/{prompt}", {"name": "mine"}),
    ("DELETE", "/api/prompts/{prompt}", None),
]
PERSONAL = [
    ("GET", "/api/conversations", None),
    ("POST", "/api/conversations", {}),
    ("GET", "/api/export", None),
    ("GET", "/api/attachments", None),
    ("GET", "/api/account/export", None),
    ("DELETE", "/api/account", {"confirm": "alice"}),
    ("POST", "/api/import", {}),
    ("GET", "/api/prompts", None),
    ("POST", "/api/prompts", {"name": "mine", "content": "x"}),
    ("GET", "/api/revision", None),
]
PUBLIC = ["/api/session", "/api/models", "/api/announcements", "/api/openapi.json"]
PUBLIC += ["/healthz", "/readyz", "/metrics"]


@pytest.fixture
async def hers(alice: Client) -> dict[str, str]:
    """A conversation with a settled reply."""
    conversation = await converse(alice)
    reply = await asked(alice, conversation, "Hello")
    question = await threads.read(lambda: str(Message.objects.get(id=reply).parent_id))
    file = SimpleUploadedFile("note.txt", b"hers alone", content_type="text/plain")
    attachment = (await alice.post("/api/attachments", {"file": file})).json()["id"]
    prompt = {"name": "hers", "content": "hers alone"}
    made = (await alice.ask("POST", "/api/prompts", prompt)).json()["id"]
    return {
        "conversation": conversation,
        "reply": reply,
        "question": question,
        "attachment": attachment,
        "prompt": made,
    }


async def everything() -> list[Any]:
    def look() -> list[Any]:
        return [
            *Conversation.objects.order_by("id").values(),
            *Message.objects.order_by("id").values(),
            *Attachment.objects.order_by("id").values(),
            *Prompt.objects.order_by("id").values(),
        ]

    return await threads.read(look)


@pytest.mark.parametrize(("method", "path", "body"), OWNED)
async def test_what_is_alice_s_does_not_exist_for_bob(
    hers: dict[str, str], bob: Client, method: str, path: str, body: Any
) -> None:
    before = await everything()
    response = await bob.ask(method, path.format(**hers), body)
    assert error_of(response) == (404, "not_found")
    assert await everything() == before


@pytest.mark.parametrize(("method", "path", "body"), OWNED)
async def test_what_does_not_exist_looks_the_same(
    alice: Client, bob: Client, hers: dict[str, str], method: str, path: str, body: Any
) -> None:
    nothing = {name: new_id() for name in hers}
    of_nothing = await alice.ask(method, path.format(**nothing), body)
    of_others = await bob.ask(method, path.format(**hers), body)
    assert error_of(of_nothing) == (404, "not_found")
    assert of_nothing.content == of_others.content


@pytest.mark.parametrize(("method", "path", "body"), OWNED + PERSONAL)
async def test_charlie_is_asked_to_sign_in(
    hers: dict[str, str], charlie: Client, method: str, path: str, body: Any
) -> None:
    before = await everything()
    response = await charlie.ask(method, path.format(**hers), body)
    assert error_of(response) == (401, "not_signed_in")
    assert await everything() == before
    assert await threads.read(Guest.objects.count) == 0


@pytest.mark.parametrize("path", PUBLIC)
async def test_what_is_public_is_so_for_charlie(charlie: Client, path: str) -> None:
    assert (await charlie.ask("GET", path)).status_code in (200, 503)


async def test_bob_s_list_is_empty(hers: dict[str, str], alice: Client, bob: Client) -> None:
    assert (await bob.ask("GET", "/api/conversations")).json()["conversations"] == []
    [mine] = (await alice.ask("GET", "/api/conversations")).json()["conversations"]
    assert mine["id"] == hers["conversation"]


async def test_bob_cannot_hang_a_message_under_alice_s(hers: dict[str, str], bob: Client) -> None:
    conversation = await converse(bob)
    response = await bob.ask(
        "POST",
        f"/api/conversations/{conversation}/messages",
        {"content": "Hi", "parent_id": hers["reply"]},
    )
    assert error_of(response) == (422, "invalid_field")
    response = await bob.ask("PATCH", f"/api/conversations/{conversation}", {"head": hers["reply"]})
    assert error_of(response) == (422, "invalid_field")


async def test_bob_cannot_use_alice_s_ids(hers: dict[str, str], bob: Client) -> None:
    response = await bob.ask("POST", "/api/conversations", {"id": hers["conversation"]})
    assert error_of(response) == (409, "id_reused")
    conversation = await converse(bob)
    for name in ("reply_id", "id"):
        response = await bob.ask(
            "POST",
            f"/api/conversations/{conversation}/messages",
            {"content": "Hello", name: hers["reply"]},
        )
        assert error_of(response) == (409, "id_reused")


@pytest.mark.parametrize(("method", "path", "body"), OWNED)
async def test_an_unsafe_request_without_its_token_is_refused(
    hers: dict[str, str], alice: Client, method: str, path: str, body: Any
) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = alice.cookies
    response = await strict.ask(method, path.format(**hers), body)
    if method == "GET":
        assert response.status_code == 200
        response.close()
    else:
        assert error_of(response) == (403, "csrf_failed")
