"""The page of a share: anybody may read it, nobody is asked who they are."""

import json
from datetime import datetime
from typing import Any

from asgiref.sync import sync_to_async
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.utils.text import Truncator
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from conversations import conf, views
from conversations.errors import not_found
from conversations.models import Share
from conversations.sharing import snapshots

_DESCRIPTION_CHARACTERS = 200


@require_safe
async def shared(request: HttpRequest, token: str) -> HttpResponse:
    """Show a snapshot; a link that was never made or was revoked leads to the page of 404."""
    # In a thread, for a long one keeps it busy.
    return await sync_to_async(_page)(request, token)


def _page(request: HttpRequest, token: str) -> HttpResponse:
    share = snapshots.published(token)
    if share is None:
        return _private(not_found(request, Http404()))
    response = render(request, "conversations/share.html", _context(request, share))
    if not share.indexable:
        response["X-Robots-Tag"] = "noindex"
    return _private(response)


def _context(request: HttpRequest, share: Share) -> dict[str, Any]:
    context: dict[str, Any] = {
        "product_name": conf.product_name(),
        "share": share,
        "messages": [_dated(message) for message in share.messages],
        "description": share.description or _opening(share),
        "picture": request.build_absolute_uri(static("conversations/icons/icon-512.png")),
        "address": request.build_absolute_uri(request.path),
        "import_map": json.dumps(views.import_map()),
        "catalog": views.catalog(get_language() or "en"),
    }
    if hasattr(request, "csp_nonce"):  # else a context processor of the project may name one
        context["csp_nonce"] = request.csp_nonce
    return context


def _dated(message: dict[str, Any]) -> dict[str, Any]:
    return {**message, "created_at": datetime.fromisoformat(message["created_at"])}


def _opening(share: Share) -> str:
    words = " ".join(share.messages[0]["content"].split())
    return Truncator(words).chars(_DESCRIPTION_CHARACTERS)


def _private(response: HttpResponse) -> HttpResponse:
    """Keep the link from travelling on: it is all that one needs to read."""
    response["Referrer-Policy"] = "no-referrer"
    response["Cache-Control"] = "no-cache, private"
    return response
