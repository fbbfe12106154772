"""Files: whole, in part, or not at all."""

import asyncio
import mimetypes
import os
import stat
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.http import http_date

from streaming.ranges import Span, Unsatisfiable, may_resume, parse_range
from streaming.responses.disposition import disposition
from streaming.responses.stream import StreamResponse

_PIECE_BYTES = 128 * 1024
_HARMLESS = ("image/", "audio/", "video/", "text/plain", "application/pdf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file to be served."""

    open: Callable[[], BinaryIO]
    """Opens it for reading in binary; called in a thread, and only where its bytes are asked for.

    Raises: FileNotFoundError
    """
    size: int
    """In bytes."""
    etag: str
    """In its quotes, strong: other bytes have another."""
    content_type: str
    name: str = ""
    """What the client should call it; may have any characters."""
    inline: bool = False
    """Whether a browser may show it instead of saving it."""
    last_modified: datetime | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent with every answer that has bytes, and with those to a condition, such as 304."""


class FileStreamResponse(StreamResponse):
    """Bytes of a file, read in threads in small pieces; the file is closed with the response."""

    kind = "files"
    own_headers = {}  # a proxy may gather a file: it frees us of slow clients

    def __init__(self, file: BinaryIO, span: Span, **kwargs: Any) -> None:
        # Not at the end of the generator: while a thread still reads, closing would wait for it in
        # the event loop.
        super().__init__(_pieces(file, span), closing=[file.close], **kwargs)


def file_in(directory: str | Path, name: str, *, inline: bool = False) -> Download:
    """Describe a file of a directory whose name a client has given.

    Blocks, and briefly: call it in a thread. What could run as a page is never shown inline.

    Raises:
        FileNotFoundError: there is none; it is no plain file; or the name leads out of the
            directory, by `..`, as an absolute path, or over a symbolic link.
    """
    root = os.path.realpath(directory)
    if "\0" in name or "\\" in name or os.path.isabs(name):
        raise FileNotFoundError(name)
    try:
        path = os.path.realpath(os.path.join(root, name))
        found = os.stat(path)
    except (OSError, ValueError):
        raise FileNotFoundError(name) from None
    if not (path.startswith(root + os.sep) and stat.S_ISREG(found.st_mode)):
        raise FileNotFoundError(name)
    content_type = mimetypes.guess_type(path)[0] or "application/octet-stream"
    return Download(
        open=partial(_open_again, path, found.st_ino),
        size=found.st_size,
        etag=f'"{found.st_mtime_ns:x}-{found.st_size:x}-{found.st_ino:x}"',
        content_type=content_type,
        name=os.path.basename(path),
        inline=inline and content_type.startswith(_HARMLESS) and "svg" not in content_type,
        last_modified=datetime.fromtimestamp(found.st_mtime, UTC),
    )


def _open_again(path: str, inode: int) -> BinaryIO:
    """Open what was looked at, or nothing: it may have been replaced, by a link even."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    if os.fstat(descriptor).st_ino != inode:
        os.close(descriptor)
        raise FileNotFoundError(path)
    return os.fdopen(descriptor, "rb")


async def serve_file(request: HttpRequest, download: Download) -> HttpResponseBase:
    """Answer with a file, or the range of it that a GET asks for: 200, 206, 304, 412 or 416.

    Raises:
        FileNotFoundError: as `open` does.
    Source: RFC 9110, sections 13 and 14.
    """
    headers = _headers_of(download)
    modified = None if download.last_modified is None else int(download.last_modified.timestamp())
    whole = HttpResponse(headers=headers)
    fitting = get_conditional_response(request, download.etag, modified, whole)
    if fitting is not whole:
        # A browser writes the headers of a 304 over those that it keeps with the file: without
        # ours, a policy that middleware adds to every answer would take the place of the file's.
        assert fitting is not None
        for name, value in download.headers.items():
            fitting.headers[name] = value
        return fitting
    try:
        span = _asked_for(request, download, headers.get("Last-Modified", ""))
    except Unsatisfiable:
        return HttpResponse(status=416, headers={"Content-Range": f"bytes */{download.size}"})
    status = 200
    if span is None:
        span = Span(0, download.size)
    else:
        status = 206
        headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{download.size}"
    headers["Content-Length"] = str(span.size)
    if request.method == "HEAD":
        return HttpResponse(status=status, headers=headers)
    file = await sync_to_async(download.open, thread_sensitive=False)()
    return FileStreamResponse(file, span, status=status, headers=headers)


def _headers_of(download: Download) -> dict[str, str]:
    headers = {
        "Content-Type": download.content_type,
        "ETag": download.etag,
        "Accept-Ranges": "bytes",
        "X-Content-Type-Options": "nosniff",
        **download.headers,
    }
    if download.name or not download.inline:
        headers["Content-Disposition"] = disposition(download.name, inline=download.inline)
    if download.last_modified is not None:
        headers["Last-Modified"] = http_date(download.last_modified.timestamp())
    return headers


def _asked_for(request: HttpRequest, download: Download, last_modified: str) -> Span | None:
    if request.method != "GET":
        return None
    if_range = request.headers.get("If-Range", "")
    if not may_resume(if_range, etag=download.etag, last_modified=last_modified):
        return None
    return parse_range(request.headers.get("Range", ""), download.size)


async def _pieces(file: BinaryIO, span: Span) -> AsyncGenerator[bytes]:
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, file.seek, span.start)
    left = span.size
    while left > 0:
        piece = await loop.run_in_executor(None, file.read, min(left, _PIECE_BYTES))
        if not piece:
            return  # it was cut meanwhile; the length that was promised tells the client
        left -= len(piece)
        yield piece
