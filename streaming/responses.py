"""Responses that stream a subscription."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from django.http import StreamingHttpResponse

from streaming import sse
from streaming.events import Delta
from streaming.subscription import Subscription, depart

_HEADERS = {
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}


class _SubscriptionResponse(StreamingHttpResponse):
    """Frames made of a subscription, which it closes."""

    def __init__(
        self, subscription: Subscription, frames: AsyncGenerator[bytes], **kwargs: Any
    ) -> None:
        kwargs["headers"] = {**_HEADERS, **kwargs.get("headers", {})}
        super().__init__(frames, **kwargs)
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

    def __init__(self, subscription: Subscription, **kwargs: Any) -> None:
        kwargs["content_type"] = "text/event-stream; charset=utf-8"
        super().__init__(subscription, _event_frames(subscription), **kwargs)


class TextStreamResponse(_SubscriptionResponse):
    """A subscription as bare text, for `curl -N`."""

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
