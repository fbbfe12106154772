"""Conversations and messages as the wire shows them."""

from typing import Any
from uuid import UUID

from django.urls import reverse

from conversations.models import Conversation, Message
from streaming.statements import stored_parts
from streaming.transcript import StoredPart, end_of, text_of


def events_path(run_id: UUID) -> str:
    """Return the URL of a run's events: the same for the life of the reply."""
    return reverse("holdfast:events", args=[run_id])


def attachment_shape(described: dict[str, Any]) -> dict[str, Any]:
    """Return a file as `attachments.described` it, with its address."""
    path = reverse("holdfast:api:download_attachment", args=[described["id"]])
    return {**described, "url": path}


def conversation_shape(conversation: Conversation) -> dict[str, Any]:
    """Return a conversation without its messages."""
    return {
        "id": conversation.id,
        "title": conversation.title,
        "model": conversation.model or None,
        "system_prompt": conversation.system_prompt,
        "settings": conversation.settings,
        "pinned": conversation.pinned,
        "archived": conversation.archived,
        "head": conversation.head_id,
        "created_at": conversation.created_at,
        "updated_at": conversation.updated_at,
    }


def message_shapes(conversation_id: UUID) -> list[dict[str, Any]]:
    """Return every message of a conversation, running replies with their text so far.

    Fragments are read first, the messages after: a reply that was settled in between wins.
    """
    running = Message.objects.running().filter(conversation_id=conversation_id)
    live = stored_parts(running.values_list("id", flat=True))
    messages = Message.objects.filter(conversation_id=conversation_id)
    return [message_shape(message, live.get(message.id)) for message in messages]


def message_shape(message: Message, live: list[StoredPart] | None) -> dict[str, Any]:
    """Return a message; an assistant's with the cursor of exactly the text it shows."""
    parts = message.stored_parts()
    # A reply that was re-opened this instant has its text in the row still.
    if message.status == Message.Status.RUNNING and live and end_of(live) >= end_of(parts):
        parts = live
    usage = None
    if message.input_tokens is not None and message.output_tokens is not None:
        usage = {"input_tokens": message.input_tokens, "output_tokens": message.output_tokens}
    shape = {
        "id": message.id,
        "conversation_id": message.conversation_id,
        "parent_id": message.parent_id,
        "role": message.role,
        "parts": [
            *_files_of(message),
            *({"kind": part.kind, "text": part.text} for part in parts),
        ],
        "content": text_of(parts),
        "status": message.status,
        "reason": message.reason or None,
        "retryable": message.retryable,
        "model": message.model or None,
        "provider": message.provider or None,
        "usage": usage,
        "first_token_ms": message.first_token_ms,
        "duration_ms": message.duration_ms,
        "created_at": message.created_at,
        "settled_at": message.settled_at,
    }
    if message.role == Message.Role.ASSISTANT:
        shape["cursor"] = str(end_of(parts))
        shape["rating"] = message.rating
        shape["comment"] = message.comment
    return shape


def _files_of(message: Message) -> list[dict[str, Any]]:
    return [
        {"kind": "attachment", "attachment": attachment_shape(part["attachment"])}
        for part in message.parts
        if part["kind"] == "attachment"
    ]
