"""Responses that stream: a subscription, or a file."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header, http_date

from streaming import sse
from streaming.events import Delta
from streaming.ranges import Span, Unsatisfiable, may_resume, parse_range
from streaming.subscription import Subscription, Transport, depart

_PIECE_BYTES = 128 * 1024

_HEADERS = {
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}


class _SubscriptionResponse(StreamingHttpResponse):
    """Frames made of a subscription, which it closes."""

    transport: Transport

    def __init__(
        self, subscription: Subscription, frames: AsyncGenerator[bytes], **kwargs: Any
    ) -> None:
        kwargs["headers"] = {**_HEADERS, **kwargs.get("headers", {})}
        super().__init__(frames, **kwargs)
        subscription.carried_by(self.transport)
        # Called by `close()`, which our handler never leaves out, even where the generator was
        # never begun.
        self._resource_closers.append(subscription.close)  # type: ignore[attr-defined]

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Iterate over the frames as they are; Django would pass each through two generators."""
        if not self.is_async:
            return super().__aiter__()
        frames: AsyncIterator[bytes] = self._iterator  # type: ignore[attr-defined]
        return frames


class EventStreamResponse(_SubscriptionResponse):
    """A subscription as Server-Sent Events."""

    transport = "sse"

    def __init__(self, subscription: Subscription, **kwargs: Any) -> None:
        kwargs["content_type"] = "text/event-stream; charset=utf-8"
        super().__init__(subscription, _event_frames(subscription), **kwargs)


class TextStreamResponse(_SubscriptionResponse):
    """A subscription as bare text, for `curl -N`."""

    transport = "text"

    def __init__(self, subscription: Subscription, **kwargs: Any) -> None:
        kwargs["content_type"] = "text/plain; charset=utf-8"
        super().__init__(subscription, _bare_text(subscription), **kwargs)


async def _event_frames(subscription: Subscription) -> AsyncGenerator[bytes]:
    try:
        yield sse.OPENING
        async for event in subscription:
            yield sse.encode(event)
    finally:
        await depart(subscription)


async def _bare_text(subscription: Subscription) -> AsyncGenerator[bytes]:
    try:
        async for event in subscription:
            if isinstance(event, Delta) and event.kind == "text":
                yield event.text.encode()
    finally:
        await depart(subscription)


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


class FileStreamResponse(StreamingHttpResponse):
    """Bytes of a file, read in threads in small pieces; the file is closed with the response."""

    def __init__(self, file: BinaryIO, span: Span, **kwargs: Any) -> None:
        super().__init__(_pieces(file, span), **kwargs)
        # And not at the end of the generator: while a thread still reads, closing would wait for
        # it in the event loop.
        self._resource_closers.append(file.close)  # type: ignore[attr-defined]


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
    disposition = content_disposition_header(not download.inline, download.name)
    if disposition:
        headers["Content-Disposition"] = disposition
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
