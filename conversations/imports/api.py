"""Imports over the API."""

import logging
import shutil
import tempfile
from collections.abc import AsyncIterator
from typing import Any, BinaryIO, cast

import msgspec
from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from ninja import Router

from conversations.accounts.identity import signed_in_with_file
from conversations.attachments.form_files import one_file
from conversations.exceptions import (
    ChatError,
    StorageUnavailable,
    TooManyRequests,
    UnsupportedType,
)
from conversations.imports.taking import Import
from streaming import threads
from streaming.responses import LinesStreamResponse

router = Router()
logger = logging.getLogger(__name__)

_importing: set[Any] = set()
"""Whose import is under way in this process: one may take hundreds of megabytes for a moment."""
_LINES = "application/jsonl"
_FORM = "multipart/form-data"
_PLAIN = (
    *("application/json", "application/jsonl", "application/x-ndjson"),
    *("application/zip", "application/x-zip-compressed", "application/octet-stream"),
)
_FILE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            _FORM: {
                "schema": {
                    "type": "object",
                    "properties": {"file": {"type": "string", "format": "binary"}},
                    "required": ["file"],
                }
            },
            "application/json": {"schema": {}},
            "application/zip": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


@router.post("/import", response={200: dict}, auth=signed_in_with_file, openapi_extra=_FILE)
async def import_conversations(request: HttpRequest) -> HttpResponseBase:
    """Take conversations from a file: our JSON or JSONL, or ChatGPT's export, also in a ZIP."""
    user_id = request.auth.pk  # type: ignore[attr-defined]
    file = await sync_to_async(_file_of)(request)
    if user_id in _importing:
        file.close()
        raise TooManyRequests(_("Another import of yours is under way."), retry_after_seconds=5)
    _importing.add(user_id)

    def close() -> None:
        file.close()
        _importing.discard(user_id)

    try:
        taken = Import(user_id, file)
        await taken.check()
        if _LINES not in request.headers.get("Accept", ""):
            said = [one async for one in taken.run() if "report" in one]
            close()
            return HttpResponse(msgspec.json.encode(said[-1]), content_type="application/json")
    except BaseException:  # whatever it was, nobody else closes the file
        close()
        raise
    return LinesStreamResponse(_progress(taken), closing=[close])


def _file_of(request: HttpRequest) -> BinaryIO:
    """Return the file that a request brings; takes a thread, and room on the disk."""
    if request.content_type == _FORM:
        return cast(BinaryIO, one_file(request).file)
    if request.content_type not in _PLAIN:
        raise UnsupportedType(_("Send a file as JSON, as ZIP, or in a form."))
    file = tempfile.TemporaryFile()  # noqa: SIM115  closed with the response
    shutil.copyfileobj(request, file)
    return cast(BinaryIO, file)


async def _progress(taken: Import) -> AsyncIterator[dict[str, Any]]:
    """Give progress, and then the report; a failure is the last line."""
    try:
        async for said in taken.run():
            yield said
    except ChatError as error:
        yield error.body()
    except threads.AWAY as error:
        logger.warning("An import found storage unavailable: %s", type(error).__name__)
        yield StorageUnavailable().body()
