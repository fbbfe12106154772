"""Imports over the API."""

import logging
import shutil
import tempfile
from collections.abc import AsyncIterator
from typing import Any, BinaryIO, cast

import msgspec
from asgiref.sync import sync_to_async
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from ninja import Router

from conversations.accounts import signed_in_with_file
from conversations.exceptions import ChatError, StorageUnavailable, UnsupportedType
from conversations.form_files import one_file
from conversations.imports.taking import Import

router = Router()
logger = logging.getLogger(__name__)

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
    file = await sync_to_async(_file_of)(request)
    try:
        taken = Import(request.auth.pk, file)  # type: ignore[attr-defined]
        await taken.check()
        if _LINES not in request.headers.get("Accept", ""):
            said = [one async for one in taken.run() if "report" in one]
            file.close()
            return HttpResponse(msgspec.json.encode(said[-1]), content_type="application/json")
    except BaseException:  # whatever it was, nobody else closes the file
        file.close()
        raise
    response = StreamingHttpResponse(
        _lines(taken), content_type=_LINES, headers={"X-Accel-Buffering": "no"}
    )
    response._resource_closers.append(file.close)  # type: ignore[attr-defined]
    return response


def _file_of(request: HttpRequest) -> BinaryIO:
    """Return the file that a request brings; takes a thread, and room on the disk."""
    if request.content_type == _FORM:
        return cast(BinaryIO, one_file(request).file)
    if request.content_type not in _PLAIN:
        raise UnsupportedType(_("Send a file as JSON, as ZIP, or in a form."))
    file = tempfile.TemporaryFile()  # noqa: SIM115  closed with the response
    shutil.copyfileobj(request, file)
    return cast(BinaryIO, file)


async def _lines(taken: Import) -> AsyncIterator[bytes]:
    """Write progress and report, each in a line; a failure is the last one."""
    try:
        async for said in taken.run():
            yield msgspec.json.encode(said) + b"\n"
    except ChatError as error:
        yield msgspec.json.encode(error.body()) + b"\n"
    except (DatabaseError, InterfaceError) as error:
        logger.warning("An import found storage unavailable: %s", type(error).__name__)
        yield msgspec.json.encode(StorageUnavailable().body()) + b"\n"
