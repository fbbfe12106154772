"""Text, lines of JSON, and files that are written while they are sent."""

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable
from typing import Any

import msgspec

from streaming.events import Delta
from streaming.responses.disposition import disposition
from streaming.responses.stream import StreamResponse, close_source
from streaming.subscription import Subscription, depart

JSON_LINES = "application/jsonl"


class TextStreamResponse(StreamResponse):
    """Bare text, for `curl -N`: the text of a subscription, or of any async iterable of texts.

    Where the source raises, the connection is cut: a client can tell that from an end.
    """

    kind = "text"

    def __init__(
        self,
        source: Subscription | AsyncIterable[str],
        *,
        closing: Iterable[Callable[[], object]] = (),
        **kwargs: Any,
    ) -> None:
        kwargs["content_type"] = "text/plain; charset=utf-8"
        if isinstance(source, Subscription):
            frames = _text_of_subscription(source)
            super().__init__(frames, closing=[source.close, *closing], **kwargs)
            source.carried_by("text")
        else:
            frames = _encoded(source)
            super().__init__(frames, source=source, closing=closing, **kwargs)


class LinesStreamResponse(StreamResponse):
    """Values as JSON, each on a line of its own, as they come: progress, and then a result.

    Where the source raises, the connection is cut.
    """

    kind = "lines"

    def __init__(self, source: AsyncIterable[Any], **kwargs: Any) -> None:
        kwargs.setdefault("content_type", JSON_LINES)
        super().__init__(_lines(source), source=source, **kwargs)


class WrittenFileResponse(StreamResponse):
    """A file that is written while it is sent, so that nobody knows its length.

    Args:
        name: what the client should call it; may have any characters.
    """

    kind = "files"
    own_headers = {
        "Cache-Control": "no-store",
        "X-Accel-Buffering": "no",  # the first byte shows that it has begun
        "X-Content-Type-Options": "nosniff",
    }

    def __init__(self, source: AsyncIterable[bytes], *, name: str, **kwargs: Any) -> None:
        kwargs["headers"] = {
            "Content-Disposition": disposition(name),
            **(kwargs.get("headers") or {}),
        }
        super().__init__(_bytes(source), source=source, **kwargs)


async def _text_of_subscription(subscription: Subscription) -> AsyncGenerator[bytes]:
    try:
        async for event in subscription:
            if isinstance(event, Delta) and event.kind == "text":
                yield event.text.encode()
    finally:
        await depart(subscription)


async def _encoded(source: AsyncIterable[str]) -> AsyncGenerator[bytes]:
    try:
        async for text in source:
            if text:
                yield text.encode(errors="replace")
    finally:
        await close_source(source)


async def _lines(source: AsyncIterable[Any]) -> AsyncGenerator[bytes]:
    try:
        async for value in source:
            yield msgspec.json.encode(value) + b"\n"
    finally:
        await close_source(source)


async def _bytes(source: AsyncIterable[bytes]) -> AsyncGenerator[bytes]:
    try:
        async for piece in source:
            yield piece
    finally:
        await close_source(source)
