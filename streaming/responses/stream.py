"""What all responses here have in common: their headers, their end, and being counted."""

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from typing import Any, ClassVar
from weakref import WeakSet

from django.http import StreamingHttpResponse

UNDELAYED: Mapping[str, str] = {
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}
"""Headers that keep whatever lies between from gathering or changing a stream."""

_open: "WeakSet[StreamResponse]" = WeakSet()


def open_streams() -> dict[str, int]:
    """Count the responses of this process that are open, by kind."""
    return dict(sorted(Counter(response.kind for response in _open).items()))


class StreamResponse(StreamingHttpResponse):
    """Bytes as they come; what they are made of is closed with the response, begun or not.

    Args:
        source: what the bytes are made of; its `aclose` or else its `close`, if it has one, is
            called at the end, in the task that iterates.
        closing: called when the response is closed, whatever became of it; must not block.
    """

    kind: ClassVar[str] = "other"
    """What `open_streams` counts it as."""
    own_headers: ClassVar[Mapping[str, str]] = UNDELAYED
    """Sent unless the caller says otherwise."""

    def __init__(
        self,
        frames: AsyncGenerator[bytes],
        *,
        source: Any = None,
        closing: Iterable[Callable[[], object]] = (),
        **kwargs: Any,
    ) -> None:
        kwargs["headers"] = {**self.own_headers, **(kwargs.get("headers") or {})}
        super().__init__(_Held(frames, source), **kwargs)
        _open.add(self)
        # Called by `close()`, which our handler never leaves out, even where the stream was never
        # begun.
        self._resource_closers.extend(closing)  # type: ignore[attr-defined]

    def close(self) -> None:
        """Close what is held."""
        _open.discard(self)
        super().close()

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Iterate over the frames as they are; Django would pass each through two generators."""
        if not self.is_async:
            return super().__aiter__()
        frames: AsyncIterator[bytes] = self._iterator  # type: ignore[attr-defined]
        return frames.frames if isinstance(frames, _Held) else frames


class _Held:
    """Frames that close, with themselves, what they are made of, even if they were never begun."""

    def __init__(self, frames: AsyncGenerator[bytes], source: Any) -> None:
        self.frames = frames
        self.source = source

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        return await anext(self.frames)

    async def aclose(self) -> None:
        await self.frames.aclose()
        source, self.source = self.source, None
        await close_source(source)


async def close_source(source: Any) -> None:
    """Close what is iterated, if it can be closed; harmless where it is."""
    aclose = getattr(source, "aclose", None)
    if aclose is not None:
        await aclose()
        return
    close = getattr(source, "close", None)
    if close is not None:
        close()
