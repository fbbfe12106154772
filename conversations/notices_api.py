"""Announcements over HTTP, for pages that no socket reaches."""

from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest
from ninja import Router

from conversations import notices
from conversations.accounts.identity import check_key

router = Router()


@router.get("/announcements", auth=None)
async def read_announcements(request: HttpRequest) -> dict[str, Any]:
    """List what the operators announce now."""
    await check_key(request)
    return {"announcements": await sync_to_async(notices.current)()}
