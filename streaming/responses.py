"""Responses that stream a subscription."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from django.http import StreamingHttpResponse

from streaming import sse
from streaming.events import Delta
from streaming.subscription import Subscription, depart

_HEADERS = {
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}


class EventStreamResponse(StreamingHttpResponse):
    """A subscription as Server-Sent Events."""

    def __init__(self, subscription: Subscription, **kwargs: Any) -> None:
        kwargs["content_type"] = "text/event-stream; charset=utf-8"
        kwargs["headers"] = {**_HEADERS, **kwargs.get("headers", {})}
        super().__init__(_event_frames(subscription), **kwargs)
        # Called by `close()`, which our handler never leaves out, even where the generator below
        # was never begun.
        self._resource_closers.append(subscription.close)  # type: ignore[attr-defined]


class TextStreamResponse(StreamingHttpResponse):
    """A subscription as bare text, for `curl -N`."""

    def __init__(self, subscription: Subscription, **kwargs: Any) -> None:
        kwargs["content_type"] = "text/plain; charset=utf-8"
        kwargs["headers"] = {**_HEADERS, **kwargs.get("headers", {})}
        super().__init__(_bare_text(subscription), **kwargs)
        self._resource_closers.append(subscription.close)  # type: ignore[attr-defined]


async def _event_frames(subscription: Subscription) -> AsyncGenerator[bytes]:
    try:
        yield sse.OPENING
        async with aclosing(subscription.events()) as events:
            async for event in events:
                yield sse.encode(event)
    finally:
        await depart(subscription)


async def _bare_text(subscription: Subscription) -> AsyncGenerator[bytes]:
    try:
        async with aclosing(subscription.events()) as events:
            async for event in events:
                if isinstance(event, Delta) and event.kind == "text":
                    yield event.text.encode()
    finally:
        await depart(subscription)
