"""Attachments over HTTP: upload, download, take back."""

from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.core.files.storage import default_storage
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from ninja import Router
from ninja.responses import Status

from conversations.accounts.identity import signed_in_with_form
from conversations.attachments import keeping
from conversations.attachments.form_files import one_file
from conversations.exceptions import NotFound
from conversations.models import Attachment
from conversations.shapes import attachment_shape
from streaming import threads
from streaming.responses import serve_file

router = Router()

_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"file": {"type": "string", "format": "binary"}},
                    "required": ["file"],
                }
            }
        },
    }
}
_FILE: dict[str, Any] = {
    "responses": {
        "200": {"description": "The file"},
        "206": {"description": "A range of it"},
        "304": {"description": "The client has it"},
        "416": {"description": "The file has no such range"},
    }
}


@router.post("/attachments", response={201: dict}, auth=signed_in_with_form, openapi_extra=_FORM)
async def upload_attachment(request: HttpRequest) -> Status[Any]:
    """Upload one file, the field `file` of a form; it waits to be sent with a question."""
    attachment = await sync_to_async(_examine)(request)
    try:
        await threads.write(keeping.keep, request.auth.pk, attachment)  # type: ignore[attr-defined]
    except Exception:  # whatever it was, no row names the file
        await sync_to_async(default_storage.delete)(str(attachment.file.name))
        raise
    return Status(201, attachment_shape(keeping.described(attachment)))


@router.get("/attachments", response=dict)
async def list_unsent_attachments(request: HttpRequest) -> dict[str, Any]:
    """List the files that were uploaded and not sent."""
    user_id = request.auth.pk  # type: ignore[attr-defined]
    found = await sync_to_async(keeping.unsent)(user_id)
    return {"attachments": [attachment_shape(keeping.described(one)) for one in found]}


def _examine(request: HttpRequest) -> Attachment:
    """Read the form, which takes a thread, and look into its file."""
    return keeping.examine(one_file(request))


@router.get("/attachments/{uuid:attachment_id}", openapi_extra=_FILE)
async def download_attachment(request: HttpRequest, attachment_id: UUID) -> HttpResponseBase:
    """Download a file; Range, If-Range and If-None-Match are understood."""
    user_id = request.auth.pk  # type: ignore[attr-defined]
    download = await sync_to_async(keeping.download)(user_id, attachment_id)
    try:
        return await serve_file(request, download)
    except FileNotFoundError:
        raise NotFound from None


@router.delete("/attachments/{uuid:attachment_id}", response={204: None})
async def delete_attachment(request: HttpRequest, attachment_id: UUID) -> Status[None]:
    """Delete a file that was not sent."""
    user_id = request.auth.pk  # type: ignore[attr-defined]
    await threads.write(keeping.forget, user_id, attachment_id)
    return Status(204, None)
