"""What a source yields: the production of one reply, as values.

A source is an async generator of these items. It ends with one `Finish`; it may raise
`SourceFailed`. Ending without a `Finish` is `upstream_incomplete`.
"""

from collections.abc import AsyncGenerator

import msgspec

from streaming.outcome import FAILED_REASONS


class Text(msgspec.Struct, frozen=True, gc=False):
    """A piece of the reply as people read it; uncleaned, any length."""

    text: str


class Reasoning(msgspec.Struct, frozen=True, gc=False):
    """A piece of what the model thought before it answered."""

    text: str


class Usage(msgspec.Struct, frozen=True, gc=False):
    """The upstream's own count of tokens; the last one wins."""

    input_tokens: int
    output_tokens: int


class Progress(msgspec.Struct, frozen=True, gc=False):
    """A sign of life without text, e.g. a keep-alive comment: it resets the progress clock."""


class Finish(msgspec.Struct, frozen=True, gc=False):
    """The source is done; `reason` is one of `outcome.COMPLETED_REASONS`."""

    reason: str = "stop"


Item = Text | Reasoning | Usage | Progress | Finish
Source = AsyncGenerator[Item, None]


class SourceFailed(Exception):
    """The source cannot go on.

    Args:
        reason: one of `outcome.FAILED_REASONS`.
        retryable: whether asking again may help; defaults to what the reason implies.
        detail: for our log only; never a key, a body, or the person's text.
    """

    def __init__(self, reason: str, *, retryable: bool | None = None, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.retryable = FAILED_REASONS[reason] if retryable is None else retryable
        self.detail = detail
