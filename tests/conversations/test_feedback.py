"""What a person thinks of a reply: kept, told to their other tabs, and nobody else's business."""

from typing import Any

import pytest

from conversations.feedback import COMMENT_CHARACTERS
from conversations.models import Message, Person
from streaming import threads
from tests.conftest import Client
from tests.conversations.chatting import asked, converse, error_of, messages


async def rated(client: Client, message_id: str, **body: Any) -> Any:
    return await client.ask("POST", f"/api/messages/{message_id}/feedback", body)


async def revision(client: Client) -> int:
    return (await threads.read(lambda: Person.objects.get(user=client.user))).revision


async def test_a_rating_is_kept_with_its_comment_until_it_is_taken_back(alice: Client) -> None:
    conversation = await converse(alice)
    reply = await asked(alice, conversation, "Hello")
    before = await revision(alice)
    for body, kept in [
        ({"rating": 1}, (1, "")),
        ({"rating": -1, "comment": " too short "}, (-1, "too short")),
        ({"rating": 1}, (1, "too short")),
        ({"rating": 1, "comment": ""}, (1, "")),
        ({"rating": -1, "comment": "again"}, (-1, "again")),
        ({"rating": 0}, (0, "")),
    ]:
        response = await rated(alice, reply, **body)
        assert (response.status_code, response.json()) == (
            200,
            dict(zip(("rating", "comment"), kept, strict=True)),
        )
        shown = (await messages(alice, conversation))[reply]
        assert (shown["rating"], shown["comment"]) == kept
    assert await revision(alice) == before + 6


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "rating"),
        ({"rating": 2}, "rating"),
        ({"rating": "good"}, "rating"),
        ({"rating": None}, "rating"),
        ({"rating": 1, "comment": "x" * (COMMENT_CHARACTERS + 1)}, "comment"),
        ({"rating": 1, "comment": "a\x00b"}, "comment"),
        ({"rating": 1, "comment": 3}, "comment"),
    ],
)
async def test_a_rating_that_is_none_is_refused_by_its_field(
    alice: Client, body: dict[str, Any], field: str
) -> None:
    reply = await asked(alice, await converse(alice), "Hello")
    response = await rated(alice, reply, **body)
    assert error_of(response) == (422, "invalid_field")
    assert response.json()["error"]["field"] == field


async def test_only_replies_can_be_rated(alice: Client) -> None:
    conversation = await converse(alice)
    reply = await asked(alice, conversation, "Hello")
    question = (await messages(alice, conversation))[reply]["parent_id"]
    assert error_of(await rated(alice, question, rating=1)) == (422, "invalid_field")
    assert not await threads.read(lambda: Message.objects.exclude(rating=0).exists())
