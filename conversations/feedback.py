"""What a person thinks of a reply."""

from typing import Any, Literal
from uuid import UUID

from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from ninja import Router
from pydantic import BaseModel, Field

from conversations.exceptions import InvalidField, NotFound
from conversations.models import Message
from conversations.requests import StorableText
from conversations.sync import announce
from streaming import threads

COMMENT_CHARACTERS = 2000

router = Router()


class FeedbackBody(BaseModel):
    """Thumbs up, thumbs down, or neither; what is left out of it stays."""

    rating: Literal[-1, 0, 1]
    comment: StorableText | None = Field(None, max_length=COMMENT_CHARACTERS)


@router.post("/messages/{uuid:message_id}/feedback")
async def feedback(request: HttpRequest, message_id: UUID, payload: FeedbackBody) -> dict[str, Any]:
    """Say what one thinks of a reply."""
    user_id = request.auth.pk  # type: ignore[attr-defined]
    return await threads.write(rate, user_id, message_id, payload.rating, payload.comment)


def rate(user_id: Any, message_id: UUID, rating: int, comment: str | None) -> dict[str, Any]:
    """Keep a rating; without one there is no comment either.

    Raises:
        NotFound: no such message, or somebody else's.
        InvalidField: it is no reply.
    """
    with transaction.atomic():
        mine = Message.objects.of(user_id).filter(id=message_id)
        message = mine.only("role", "conversation_id", "comment").first()
        if message is None:
            raise NotFound
        if message.role != Message.Role.ASSISTANT:
            raise InvalidField(_("Only a reply can be rated."), field="message_id")
        ids = {"conversation_id": message.conversation_id, "message_id": message_id}
        announce(user_id, ("message.updated", ids))
        kept = message.comment if comment is None else comment.strip()
        given = {"rating": rating, "comment": kept if rating else ""}
        Message.objects.filter(id=message_id).update(**given)
        return given
