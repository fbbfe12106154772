"""Read-only snapshots of conversations, each for whoever has its link. Synchronous steps."""

import re
import secrets
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from conversations import offering
from conversations.branches import branch_to
from conversations.exceptions import InvalidField, NotFound
from conversations.models import Conversation, Message, Share
from conversations.shapes import message_shapes
from conversations.titling import title_of

_TOKEN_BYTES = 32
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_SHOWN = (Message.Role.USER, Message.Role.ASSISTANT)


def find(user_id: Any, conversation_id: UUID) -> Share | None:
    """Return the share of a conversation, if it has one.

    Raises:
        NotFound: no such conversation, or somebody else's.
    """
    conversation = (
        Conversation.objects.of(user_id).filter(id=conversation_id).select_related("share").first()
    )
    if conversation is None:
        raise NotFound
    return getattr(conversation, "share", None)


def publish(user_id: Any, conversation_id: UUID, chosen: dict[str, Any]) -> tuple[bool, Share]:
    """Take a snapshot of the visible branch; the link of an earlier one stays.

    Args:
        chosen: any of title, description, indexable and reasoning; what is left out stays.

    Returns:
        Whether the link is new, and the share.
    Raises:
        NotFound, InvalidField: nothing was shared.
    """
    with transaction.atomic():
        conversation = (
            Conversation.objects.of(user_id).select_for_update().filter(id=conversation_id).first()
        )
        if conversation is None:
            raise NotFound
        share = Share.objects.filter(conversation=conversation).first()
        new = share is None
        if share is None:
            token = secrets.token_urlsafe(_TOKEN_BYTES)
            share = Share(conversation=conversation, token=token, title=conversation.title)
        reasoning = chosen.pop("reasoning", None)
        if reasoning is None:
            reasoning = has_reasoning(share)
        share.messages = _snapshot(conversation, reasoning=reasoning)
        if not share.messages:
            raise InvalidField(gettext("There is nothing to share yet."), field="conversation_id")
        for name, value in chosen.items():
            setattr(share, name, value)
        share.title = share.title.strip() or title_of(share.messages[0]["content"])
        share.created_at = timezone.now()
        share.save()
        return new, share


def _snapshot(conversation: Conversation, *, reasoning: bool) -> list[dict[str, Any]]:
    """Return what may be shown to anybody: no ids, no system prompt, nothing unfinished."""
    shapes = {shape["id"]: shape for shape in message_shapes(conversation.id)}
    parents = {one: shape["parent_id"] for one, shape in shapes.items()}
    names = offering.names()
    shown = []
    for one in branch_to(conversation.head_id, parents):
        shape = shapes[one]
        if shape["role"] not in _SHOWN or shape["status"] == Message.Status.RUNNING:
            continue
        message = {
            "role": shape["role"],
            "content": shape["content"],
            "model": names.get(shape["model"], shape["model"]),
            "created_at": shape["created_at"].isoformat(),
            "files": [
                part["attachment"]["name"]
                for part in shape["parts"]
                if part["kind"] == "attachment"
            ],
        }
        if reasoning:
            message["reasoning"] = "".join(
                part["text"] for part in shape["parts"] if part["kind"] == "reasoning"
            )
        if message["content"] or message["files"] or message.get("reasoning"):
            shown.append(message)
    return shown


def has_reasoning(share: Share) -> bool:
    """Say whether the snapshot was taken with its reasoning."""
    return any("reasoning" in message for message in share.messages)


def revoke(user_id: Any, conversation_id: UUID) -> None:
    """Take a snapshot away: its link leads nowhere from now on.

    Raises:
        NotFound: no such conversation, or somebody else's.
    """
    with transaction.atomic():
        if not Conversation.objects.of(user_id).filter(id=conversation_id).exists():
            raise NotFound
        Share.objects.filter(conversation_id=conversation_id).delete()


def published(token: str) -> Share | None:
    """Return what a link leads to."""
    if not _TOKEN.fullmatch(token):
        return None
    return Share.objects.filter(token=token).first()
