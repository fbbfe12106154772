"""One's own conversations as files, made piece by piece: memory does not grow with them.

Each piece is one read of its own, so that a download of minutes holds no transaction.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from django.contrib.auth import get_user_model

from conversations.branches import branch_to
from conversations.conversing import user_shape
from conversations.exceptions import NotFound
from conversations.exports import documents, tables
from conversations.models import Attachment, Conversation, Message, Prompt, Share
from conversations.shapes import attachment_shape, conversation_shape, message_shape
from streaming import responses, threads
from streaming.responses import pages
from streaming.statements import stored_parts

CONVERSATION_FORMAT = "holdfast.conversation"
ACCOUNT_FORMAT = "holdfast.account"
VERSION = 1

_BATCH = 25
"""Messages, or conversations, in one read."""
_NOT_EXPORTED = ("conversation_id", "cursor")

encode = msgspec.json.encode


def title_of_mine(user_id: Any, conversation_id: UUID) -> str:
    """Return a conversation's title.

    Raises:
        NotFound: no such conversation, or somebody else's.
    """
    found = Conversation.objects.of(user_id).filter(id=conversation_id).first()
    if found is None:
        raise NotFound
    return found.title


async def as_json(conversation_id: UUID) -> AsyncIterator[bytes]:
    """Write a conversation with its whole tree."""
    conversation = await threads.read(_conversation, conversation_id)
    if conversation is None:
        return
    about = {"format": CONVERSATION_FORMAT, "version": VERSION, "conversation": conversation}
    yield encode(about)[:-1] + b',"messages":'
    async for piece in _array(_tree(conversation_id)):
        yield piece
    yield b"}\n"


def as_csv(conversation_id: UUID) -> AsyncIterator[bytes]:
    """Write a table of a conversation's messages."""
    return responses.as_csv(_rows(conversation_id), columns=tables.COLUMNS)


async def as_markdown(conversation_id: UUID, words: Mapping[str, str]) -> AsyncIterator[bytes]:
    """Write the visible branch as a document; see `documents.section` for the words."""
    title, branch = await threads.read(_branch, conversation_id)
    yield documents.opening(title, words).encode()
    for start in range(0, len(branch), _BATCH):
        for message in await threads.read(_these, conversation_id, branch[start : start + _BATCH]):
            if message["role"] != Message.Role.SYSTEM:
                yield documents.section(message, words).encode()


async def all_as_jsonl(user_id: Any) -> AsyncIterator[bytes]:
    """Write every conversation of a person, one in a line."""
    async for conversation_id in _ids(user_id):
        async for piece in as_json(conversation_id):
            yield piece


def all_as_csv(user_id: Any) -> AsyncIterator[bytes]:
    """Write a table of every message of a person."""
    return responses.as_csv(_all_rows(user_id), columns=tables.COLUMNS)


async def account(user_id: Any) -> AsyncIterator[bytes]:
    """Write everything that is kept of a person."""
    about = {"format": ACCOUNT_FORMAT, "version": VERSION}
    yield encode({**about, "account": await threads.read(_account, user_id)})[:-1]
    for name, listed in (("prompts", _prompts), ("attachments", _attachments)):
        yield f',"{name}":'.encode() + encode(await threads.read(listed, user_id))
    yield b',"shares":'
    async for piece in _array(_shares(user_id)):
        yield piece
    yield b',"conversations":['
    before = b""
    async for conversation_id in _ids(user_id):
        between = before
        async for piece in as_json(conversation_id):  # nothing, if it was just deleted
            yield between + piece
            between, before = b"", b","
    yield b"]}\n"


async def _array(items: AsyncIterator[Any]) -> AsyncIterator[bytes]:
    separator = b"["
    async for item in items:
        yield separator + encode(item)
        separator = b","
    yield b"]" if separator == b"," else b"[]"


async def _all_rows(user_id: Any) -> AsyncIterator[dict[str, Any]]:
    async for conversation_id in _ids(user_id):
        async for row in _rows(conversation_id):
            yield row


async def _rows(conversation_id: UUID) -> AsyncIterator[dict[str, Any]]:
    conversation = await threads.read(_conversation, conversation_id)
    if conversation is None:
        return
    async for message in _tree(conversation_id):
        yield tables.row(conversation, message)


async def _ids(user_id: Any) -> AsyncIterator[UUID]:
    """Give the ids of a person's conversations; those that are made meanwhile may come, too."""
    async for page in pages(Conversation.objects.of(user_id).values("id"), by=["id"], rows=_BATCH):
        for one in page:
            yield one["id"]


async def _shares(user_id: Any) -> AsyncIterator[dict[str, Any]]:
    mine = Share.objects.filter(conversation__owner_id=user_id).values()
    async for page in pages(mine, by=["conversation_id"], rows=1):  # each holds a conversation
        yield page[0]


async def _tree(conversation_id: UUID) -> AsyncIterator[dict[str, Any]]:
    """Give every message in the order of their creation."""
    mine = Message.objects.filter(conversation_id=conversation_id)
    read = partial(_exported, conversation_id)
    async for page in pages(mine, by=["created_at", "id"], rows=_BATCH, read=read):
        for message in page:
            yield message


def _these(conversation_id: UUID, ids: list[UUID]) -> list[dict[str, Any]]:
    rows = Message.objects.filter(conversation_id=conversation_id, id__in=ids)
    found = {shape["id"]: shape for shape in _exported(conversation_id, rows)}
    return [found[one] for one in ids if one in found]


def _exported(conversation_id: UUID, rows: Iterable[Message]) -> list[dict[str, Any]]:
    """Shape messages; fragments are read first, so that a reply settled in between wins."""
    running = Message.objects.running().filter(conversation_id=conversation_id)
    live = stored_parts(running.values_list("id", flat=True))
    return [
        {
            **_without(message_shape(message, live.get(message.id)), _NOT_EXPORTED),
            "rating": message.rating,
            "comment": message.comment,
        }
        for message in rows
    ]


def _conversation(conversation_id: UUID) -> dict[str, Any] | None:
    found = Conversation.objects.filter(id=conversation_id).first()
    return None if found is None else conversation_shape(found)


def _branch(conversation_id: UUID) -> tuple[str, list[UUID]]:
    found = Conversation.objects.filter(id=conversation_id).first()
    if found is None:
        return "", []
    rows = found.messages.order_by("created_at", "id").values_list("id", "parent_id")
    return found.title, branch_to(found.head_id, dict(rows))


def _account(user_id: Any) -> dict[str, Any]:
    user: Any = get_user_model()._default_manager.get(pk=user_id)
    known = user_shape(user)
    known["email"] = getattr(user, user.get_email_field_name(), "")
    known["joined_at"] = getattr(user, "date_joined", None)
    return known


def _prompts(user_id: Any) -> list[dict[str, Any]]:
    return [*map(dict, Prompt.objects.filter(owner_id=user_id).values("id", "name", "content"))]


def _attachments(user_id: Any) -> list[dict[str, Any]]:
    fields = ("id", "message_id", "name", "content_type", "size", "created_at")
    found = Attachment.objects.filter(owner_id=user_id).values(*fields)
    return [attachment_shape(dict(one)) for one in found]


def _without(shape: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: value for name, value in shape.items() if name not in names}
