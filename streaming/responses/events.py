"""Server-Sent Events: of a subscription, or of any async iterator."""

import inspect
import logging
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable
from typing import Any

from django.utils.translation import gettext

from streaming import sse
from streaming.responses.pump import Late, Pump
from streaming.responses.stream import StreamResponse
from streaming.sse import ServerEvent
from streaming.subscription import Subscription, depart

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 15.0

Each = Callable[[Any], Any]
Reports = Callable[[Exception], ServerEvent | None]


class ItemError(Exception):
    """What went wrong with one item, in words that the reader may see.

    Args:
        code: a word for programs.
        message: a sentence for people.
        retryable: whether the same may go well later.
    """

    def __init__(self, code: str, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retryable = retryable


def report(error: Exception) -> ServerEvent:
    """Say as an event named `error` what went wrong; nothing of ours shows but an ItemError."""
    match error:
        case ItemError():
            code, message, retryable = error.code, error.message, error.retryable
        case TimeoutError():
            code, message = "timeout", gettext("Nothing came in time.")
            retryable = True
        case _:
            logger.error("An item of a stream failed", exc_info=error)
            code, message = "internal", gettext("Something went wrong here.")
            retryable = True
    body = {"code": code, "message": message, "retryable": retryable}
    return ServerEvent(event="error", data={"error": body})


class EventStreamResponse(StreamResponse):
    """A stream of Server-Sent Events.

    Args:
        source: a subscription, which is closed with the response and has its own signs of life; or
            any async iterable. Its items are `ServerEvent`s, or data of unnamed events.
        heartbeat_seconds: silence after which a comment is sent; 0: never.
        retry_ms: how long a browser waits before it comes back.
        timeout_seconds: longest wait for one item; then `timeout` is reported and the stream ends.
        each: makes the event of an item; may be async. Where it raises, the stream goes on.
        on_error: makes the event that tells of an error, or None to tell nothing. An error of
            `each` costs its item; one of the source costs the item if the source can go on, as an
            iterator may. A generator that has raised is at its end.
    """

    kind = "events"

    def __init__(
        self,
        source: Subscription | AsyncIterable[Any],
        *,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        retry_ms: int = sse.RETRY_MS,
        timeout_seconds: float | None = None,
        each: Each | None = None,
        on_error: Reports = report,
        closing: Iterable[Callable[[], object]] = (),
        **kwargs: Any,
    ) -> None:
        kwargs["content_type"] = "text/event-stream; charset=utf-8"
        if isinstance(source, Subscription):
            frames = _of_subscription(source)
            super().__init__(frames, closing=[source.close, *closing], **kwargs)
            source.carried_by("sse")
            return
        pump = Pump(source)
        frames = _of_items(
            pump,
            opening=b"retry: %d\n\n" % retry_ms,
            waits=_Waits(heartbeat_seconds, timeout_seconds),
            each=each,
            on_error=on_error,
        )
        super().__init__(frames, source=pump, closing=closing, **kwargs)


async def _of_subscription(subscription: Subscription) -> AsyncGenerator[bytes]:
    try:
        yield sse.OPENING
        async for event in subscription:
            yield sse.encode(event)
    finally:
        await depart(subscription)


class _Waits:
    """How long the next wait may be: to the next sign of life, or to the end of patience."""

    def __init__(self, heartbeat_seconds: float, timeout_seconds: float | None) -> None:
        self._heartbeat = heartbeat_seconds or float("inf")
        self._patience = timeout_seconds or float("inf")
        self._waited = 0.0

    def next(self) -> float | None:
        seconds = min(self._heartbeat, self._patience - self._waited)
        return None if seconds == float("inf") else seconds

    def came(self) -> None:
        self._waited = 0.0

    def late(self, seconds: float | None) -> bool:
        """Note a wait in vain; say whether patience is at its end."""
        self._waited += seconds or 0.0
        return self._waited >= self._patience


async def _of_items(
    pump: Pump[Any], *, opening: bytes, waits: _Waits, each: Each | None, on_error: Reports
) -> AsyncGenerator[bytes]:
    try:
        yield opening
        while True:
            seconds = waits.next()
            try:
                item = await pump.next(seconds)
                waits.came()
                frame = sse.write(await _event(item, each))
            except StopAsyncIteration:
                return
            except Late:
                over = waits.late(seconds)
                frame = _told(on_error, TimeoutError()) if over else sse.COMMENT
                if over:
                    yield frame
                    return
            except Exception as error:  # the stream has begun: only an event can tell
                frame = _told(on_error, error)
            if frame:
                yield frame
    finally:
        await pump.aclose()


def _told(on_error: Reports, error: Exception) -> bytes:
    event = on_error(error)
    return b"" if event is None else sse.write(event)


async def _event(item: Any, each: Each | None) -> ServerEvent:
    if each is not None:
        item = each(item)
        if inspect.isawaitable(item):
            item = await item
    return item if isinstance(item, ServerEvent) else ServerEvent(data=item)
