"""Shares over the API: create or update, look, revoke."""

from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import HttpRequest
from django.urls import reverse
from ninja import Router
from ninja.responses import Status
from pydantic import BaseModel, Field

from conversations.models import Share
from conversations.requests import StorableText
from conversations.sharing import snapshots
from streaming import threads

router = Router()


class ShareBody(BaseModel):
    """How a snapshot is shown; what is left out stays as it was."""

    title: StorableText = Field("", max_length=200)
    description: StorableText = Field("", max_length=300)
    indexable: bool = Field(False, description="Whether search engines may list it.")
    reasoning: bool = Field(False, description="Whether the models' reasoning is shown, too.")


@router.get("/conversations/{uuid:conversation_id}/share")
async def read_share(request: HttpRequest, conversation_id: UUID) -> dict[str, Any]:
    """Say whether a conversation is shared, and how."""
    user_id = request.auth.pk  # type: ignore[attr-defined]
    share = await sync_to_async(snapshots.find)(user_id, conversation_id)
    return {"share": None if share is None else _shape(request, share)}


@router.post("/conversations/{uuid:conversation_id}/share", response={200: dict, 201: dict})
async def share(request: HttpRequest, conversation_id: UUID, payload: ShareBody) -> Status[Any]:
    """Share a snapshot of the visible branch, or bring the one that is shared up to date."""
    user_id = request.auth.pk  # type: ignore[attr-defined]
    chosen = payload.model_dump(exclude_unset=True)
    new, found = await threads.write(snapshots.publish, user_id, conversation_id, chosen)
    return Status(201 if new else 200, _shape(request, found))


@router.delete("/conversations/{uuid:conversation_id}/share", response={204: None})
async def revoke_share(request: HttpRequest, conversation_id: UUID) -> Status[None]:
    """Stop sharing; the link leads nowhere from now on."""
    user_id = request.auth.pk  # type: ignore[attr-defined]
    await threads.write(snapshots.revoke, user_id, conversation_id)
    return Status(204, None)


def _shape(request: HttpRequest, share: Share) -> dict[str, Any]:
    path = reverse("holdfast:shared", args=[share.token])
    return {
        "url": request.build_absolute_uri(path),
        "token": share.token,
        "title": share.title,
        "description": share.description,
        "indexable": share.indexable,
        "reasoning": snapshots.has_reasoning(share),
        "messages": len(share.messages),
        "created_at": share.created_at,
    }
