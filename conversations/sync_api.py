"""The person's revision over HTTP, for pages that no socket reaches."""

from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest
from ninja import Router

from conversations import conversing

router = Router()


@router.get("/revision")
async def read_revision(request: HttpRequest) -> dict[str, Any]:
    """Say whether anything changed since; every change raises it."""
    user = request.auth  # type: ignore[attr-defined]
    return {"revision": await sync_to_async(conversing.revision)(user.pk)}
