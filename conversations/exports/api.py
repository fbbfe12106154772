"""Downloads over the API."""

from collections.abc import AsyncIterator
from typing import Literal
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext, pgettext
from ninja import Router

from conversations import conf
from conversations.exports import downloads
from conversations.exports.filenames import file_name
from streaming.responses import WrittenFileResponse

router = Router()

_TYPES = {
    "md": "text/markdown; charset=utf-8",
    "json": "application/json",
    "jsonl": "application/jsonl",
    "csv": "text/csv; charset=utf-8",
}


def download(pieces: AsyncIterator[bytes], *, title: str, extension: str) -> WrittenFileResponse:
    """Answer with a file that is written while it is sent."""
    name = file_name(title, extension, default=conf.product_name().lower())
    return WrittenFileResponse(pieces, name=name, content_type=_TYPES[extension])


@router.get("/conversations/{uuid:conversation_id}/export")
async def export_conversation(
    request: HttpRequest, conversation_id: UUID, format: Literal["md", "json", "csv"] = "json"
) -> WrittenFileResponse:
    """Download a conversation: the visible branch as Markdown, or the whole tree."""
    user_id = request.auth.pk  # type: ignore[attr-defined]
    title = await sync_to_async(downloads.title_of_mine)(user_id, conversation_id)
    match format:
        case "md":
            pieces = downloads.as_markdown(conversation_id, _words())
        case "csv":
            pieces = downloads.as_csv(conversation_id)
        case _:
            pieces = downloads.as_json(conversation_id)
    return download(pieces, title=title, extension=format)


@router.get("/export")
async def export_all(
    request: HttpRequest, format: Literal["jsonl", "csv"] = "jsonl"
) -> WrittenFileResponse:
    """Download every conversation."""
    user_id = request.auth.pk  # type: ignore[attr-defined]
    write = downloads.all_as_csv if format == "csv" else downloads.all_as_jsonl
    return download(write(user_id), title=_dated(gettext("conversations")), extension=format)


@router.get("/account/export")
async def export_account(request: HttpRequest) -> WrittenFileResponse:
    """Download everything that is kept of this person."""
    user_id = request.auth.pk  # type: ignore[attr-defined]
    return download(downloads.account(user_id), title=_dated(gettext("account")), extension="json")


def _dated(what: str) -> str:
    return f"{conf.product_name().lower()}-{what}-{timezone.now():%Y-%m-%d}"


def _words() -> dict[str, str]:
    """Return what documents say, in the language of the request: a stream has none."""
    return {
        "untitled": gettext("Conversation"),
        "user": pgettext("who asks", "You"),
        "assistant": gettext("Reply"),
        "attached": gettext("Attached"),
        "running": gettext("The reply is still being written."),
        "stopped": gettext("The reply was stopped."),
        "interrupted": gettext("The reply was interrupted."),
        "failed": gettext("The reply failed."),
    }
