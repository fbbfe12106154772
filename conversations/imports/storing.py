"""Writes what was found, in steps that other writers can come between.

Every id follows from the owner and the file's own ids, so that a second import, or one that goes on
after it was cut off, adds only what is not there yet.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest
from django.utils import timezone

from conversations.imports.found import FoundConversation, FoundMessage
from conversations.models import Conversation, Message, Person
from conversations.offering import catalogue
from conversations.sync import announce
from streaming.transcript import clean

_NAMESPACE = UUID("5d9b0f0e-6f0b-5c0e-9a53-0c7c1f2b7a10")
_STEP_MESSAGES = 200
_STEP_CHARACTERS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Some messages of a conversation, parents first."""

    conversation: FoundConversation
    messages: list[FoundMessage]
    is_last: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What became of a slice."""

    id: UUID
    new: bool
    """Whether its conversation was made with it."""
    added: int


def steps(conversations: Iterable[FoundConversation]) -> Iterator[list[Slice]]:
    """Divide conversations among transactions of a bounded size."""
    step: list[Slice] = []
    messages = characters = 0
    for conversation in conversations:
        part: list[FoundMessage] = []
        for message in conversation.messages:
            if messages and (
                messages >= _STEP_MESSAGES or characters + message.characters > _STEP_CHARACTERS
            ):
                if part:
                    step.append(Slice(conversation=conversation, messages=part, is_last=False))
                yield step
                step, part, messages, characters = [], [], 0, 0
            part.append(message)
            messages += 1
            characters += message.characters
        step.append(Slice(conversation=conversation, messages=part, is_last=True))
    if step:
        yield step


def store(user_id: Any, step: list[Slice]) -> list[Stored]:
    """Write one step."""
    with transaction.atomic():
        Person.objects.get_or_create(user_id=user_id)
        Person.objects.select_for_update().get(user_id=user_id)
        return [_store(user_id, part) for part in step]


def _store(user_id: Any, part: Slice) -> Stored:
    found = part.conversation
    mine = Conversation.objects.of(user_id)
    if found.source == "holdfast" and (original := _uuid(found.id)) is not None:
        # Their own export, in the account that it came from.
        if mine.filter(id=original).exists():
            return Stored(id=original, new=False, added=0)
    conversation_id = uuid5(_NAMESPACE, f"{user_id}:{found.source}:{clean(found.id)}")
    conversation = mine.filter(id=conversation_id).first()
    new = conversation is None
    if conversation is None:
        conversation = _make(user_id, conversation_id, found)
    ids = {message.id: _id(conversation_id, message.id) for message in found.messages}
    wanted = [ids[message.id] for message in part.messages]
    there = set(Message.objects.filter(id__in=wanted).values_list("id", flat=True))
    rows = [
        _row(conversation_id, ids, message)
        for message in part.messages
        if ids[message.id] not in there
    ]
    Message.objects.bulk_create(rows, batch_size=100)
    if part.is_last:
        _point(conversation, found, ids, grown=bool(rows))
    if new or rows:
        kind = "conversation.created" if new else "conversation.updated"
        announce(user_id, _change(kind, conversation_id))
        mine.filter(id=conversation_id).update(touched_at=timezone.now())
    return Stored(id=conversation_id, new=new, added=len(rows))


def _change(kind: Any, conversation_id: UUID) -> tuple[Any, dict[str, Any]]:
    return kind, {"conversation_id": conversation_id}


def _make(user_id: Any, conversation_id: UUID, found: FoundConversation) -> Conversation:
    offered = catalogue().models
    conversation = Conversation(
        id=conversation_id,
        owner_id=user_id,
        title=found.title,
        model=found.model if found.model in offered else "",
        system_prompt=found.system_prompt,
        settings=found.settings,
        pinned=found.pinned,
        archived=found.archived,
        updated_at=_moment(found),
    )
    conversation.save(force_insert=True)
    # `auto_now_add` has set it to now.
    Conversation.objects.filter(id=conversation_id).update(created_at=found.created_at)
    return conversation


def _point(
    conversation: Conversation, found: FoundConversation, ids: dict[str, UUID], *, grown: bool
) -> None:
    """Show the file's branch, unless the person has gone on here meanwhile."""
    stays = conversation.head_id is not None and (
        not grown or conversation.head_id not in ids.values()
    )
    if stays:
        return
    assert found.head is not None
    Conversation.objects.filter(id=conversation.id).update(
        head_id=ids[found.head], updated_at=Greatest(F("updated_at"), _moment(found))
    )


def _moment(found: FoundConversation) -> datetime:
    assert found.updated_at is not None
    return found.updated_at


def _row(conversation_id: UUID, ids: dict[str, UUID], found: FoundMessage) -> Message:
    row = Message(
        id=ids[found.id],
        conversation_id=conversation_id,
        parent_id=ids[found.parent] if found.parent is not None else None,
        role=found.role,
        status=found.status,
        reason=found.reason,
        retryable=found.retryable,
        model=found.model,
        provider=found.provider,
        rating=found.rating,
        comment=found.comment,
        created_at=found.time,
        settled_at=found.time,
        **found.figures,
    )
    row.take_parts(found.parts)
    return row


def _id(conversation_id: UUID, message_id: str) -> UUID:
    return uuid5(conversation_id, clean(message_id))


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
