"""Chat-completion chunks, decoded into what a source yields. Pure.

Source: https://platform.openai.com/docs/api-reference/chat-streaming, and what servers that call
themselves compatible really send.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from conversations.providers.sse_parser import ParsedEvent
from streaming.source import Item, Progress, Reasoning, SourceFailed, Text, Usage

_FINISH_REASONS = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content_filter",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}
_MOST_TOKENS = 2**31 - 1  # a count beyond it is no count, and no database column takes it


class _Delta(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: Any = None
    """Text with some servers, an object with others."""
    refusal: str | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    message: _Delta | None = None
    """Instead of `delta` where the upstream does not stream."""
    finish_reason: str | None = None
    index: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None


_decoder = msgspec.json.Decoder(_Chunk)
_EMPTY = _Delta()


class ChunkReader:
    """Reads the events of one reply and remembers how far it is."""

    def __init__(self) -> None:
        self.finish_reason: str | None = None
        self.done = False
        """Whether the upstream said that nothing follows."""

    def read_all(self, events: Sequence[ParsedEvent]) -> Iterator[Item]:
        """Yield what events that came together say; texts that follow each other are joined.

        Raises:
            SourceFailed: as `read`, behind all that the events before it say.
        """
        texts: list[str] = []
        failure: SourceFailed | None = None
        try:
            for event in events:
                for item in self.read(event.data, is_error=event.name == b"error"):
                    if isinstance(item, Text):
                        texts.append(item.text)
                        continue
                    if texts:
                        yield Text("".join(texts))
                        texts.clear()
                    yield item
        except SourceFailed as error:
            failure = error
        if texts:
            yield Text("".join(texts))
        if failure is not None:
            raise failure

    def read(self, data: bytes, *, is_error: bool = False) -> Iterator[Item]:
        """Yield what one event says; at least a sign of life.

        Args:
            data: empty for a comment.
            is_error: the event was named `error`, whatever its data look like.
        Raises:
            SourceFailed: the upstream reports an error, or the event is no chunk.
        """
        if not data:
            yield Progress()
            return
        if data[:1] != b"{" and data.strip() == b"[DONE]":
            self.done = True
            return
        chunk = _decode(data)
        if is_error or (chunk.error is not None and chunk.error not in (False, "")):
            raise SourceFailed(_reason_of_error(chunk.error), detail="error event")
        yielded = False
        for choice in chunk.choices or ():
            if choice.index:
                continue  # one choice was asked for
            delta = choice.delta or choice.message or _EMPTY
            # Some servers send the same reasoning under both names.
            reasoning = delta.reasoning_content or delta.reasoning
            if reasoning and isinstance(reasoning, str):
                yielded = True
                yield Reasoning(reasoning)
            for text in (delta.content, delta.refusal):
                if text:
                    yielded = True
                    yield Text(text)
            if choice.finish_reason == "error":
                raise SourceFailed("upstream_error", detail="finish_reason error")
            if choice.finish_reason:
                self.finish_reason = _FINISH_REASONS.get(choice.finish_reason, "stop")
        if chunk.usage is not None:
            counted = chunk.usage.prompt_tokens or 0, chunk.usage.completion_tokens or 0
            if any(counted) and all(0 <= count <= _MOST_TOKENS for count in counted):
                yielded = True
                yield Usage(*counted)
        if not yielded:
            yield Progress()


def reason_of_status(status: int) -> str:
    """Map a status code of HTTP to the reason of a failure."""
    match status:
        case 429:
            return "upstream_rate_limited"
        case 408 | 425:
            return "upstream_error"
        case _ if 300 <= status < 500:
            return "upstream_refused"
        case _:
            return "upstream_error"


def _decode(data: bytes) -> _Chunk:
    try:
        try:
            return _decoder.decode(data)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            # msgspec refuses the escape of half a surrogate pair; a pair may be split over two
            # chunks, and the transcript joins it.
            return msgspec.convert(json.loads(data.decode()), _Chunk)
    except (ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise SourceFailed("upstream_bad_data", detail=type(error).__name__) from error


def _reason_of_error(error: Any) -> str:
    """Map an error in mid-stream, whose code may be a status, a digit string or a word."""
    if not isinstance(error, dict):
        return "upstream_error"
    for key in ("code", "status", "type"):
        value = str(error.get(key) or "")
        if value.isascii() and value.isdigit() and 400 <= int(value[:9]) < 600:
            return reason_of_status(int(value[:9]))
        if "rate_limit" in value or value == "too_many_requests":
            return "upstream_rate_limited"
    return "upstream_error"
