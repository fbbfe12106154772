"""Server-Sent Events of any async iterator, and what each kind of error becomes in them."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.responses import (
    EventStreamResponse,
    ItemError,
    LinesStreamResponse,
    ServerEvent,
    TextStreamResponse,
    coalesced,
    open_streams,
)
from streaming.sse import write
from tests.streaming.test_sse import parse
from tests.waiting import until


class Numbers:
    """An iterator that can go on after an error, and notes its closing."""

    def __init__(self, *items: Any) -> None:
        self._items = list(items)
        self.closed = 0

    def __aiter__(self) -> "Numbers":
        return self

    async def __anext__(self) -> Any:
        if not self._items:
            raise StopAsyncIteration
        item = self._items.pop(0)
        if isinstance(item, Exception):
            raise item
        if isinstance(item, asyncio.Event):
            await item.wait()
            return "late"
        return item

    async def aclose(self) -> None:
        self.closed += 1


async def read(response: Any) -> bytes:
    stream = b"".join([part async for part in response])
    response.close()
    return stream


def told(stream: bytes) -> list[tuple[str, Any]]:
    return [(one.get("event") or "message", one.get("data")) for one in parse(stream)]


def codes(stream: bytes) -> list[str]:
    return [json.loads(data)["error"]["code"] for name, data in told(stream) if name == "error"]


async def test_an_event_has_name_id_data_and_retry() -> None:
    events = Numbers(
        ServerEvent(data={"share": 0.5}, event="progress", id="7"),
        ServerEvent(data="two\nlines", retry_ms=900),
        "plain",
        ["é"],
    )
    stream = await read(EventStreamResponse(events, retry_ms=3000))
    assert stream.startswith(b"retry: 3000\n\n")
    assert b"retry: 900\n" in stream
    found = parse(stream)
    assert found[0]["id"] == "7"
    assert told(stream) == [
        ("progress", '{"share":0.5}'),
        ("message", "two\nlines"),
        ("message", "plain"),
        ("message", '["é"]'),
    ]


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_text_is_one_event_whatever_its_line_ends_are(text: str) -> None:
    wanted = text.replace("\r\n", "\n").replace("\r", "\n")
    frame = write(ServerEvent(data=text)) + b"event: after\ndata: x\n\n"
    assert [data for _, data in told(frame)] == [wanted, "x"]


@pytest.mark.parametrize("bad", ["a\nb", "a\rb", "a\0b"])
def test_no_name_or_id_breaks_out_of_its_line(bad: str) -> None:
    for event in (ServerEvent(event=bad), ServerEvent(id=bad)):
        with pytest.raises(ValueError):
            write(event)


async def test_silence_is_filled_with_signs_of_life() -> None:
    gate = asyncio.Event()
    response = EventStreamResponse(Numbers("first", gate), heartbeat_seconds=0.01)
    stream = aiter(response)
    got = [await anext(stream) for _ in range(5)]
    assert got[1:] == [b"data: first\n\n", b":\n\n", b":\n\n", b":\n\n"]
    gate.set()
    rest = [part async for part in stream]
    assert rest[-1] == b"data: late\n\n"
    response.close()


async def test_an_error_of_the_server_is_named_and_the_stream_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    events = Numbers("a", RuntimeError("the secret"), "b")
    stream = await read(EventStreamResponse(events))
    assert [name for name, _ in told(stream)] == ["message", "error", "message"]
    assert codes(stream) == ["internal"]
    assert b"secret" not in stream
    assert [one.levelno for one in caplog.records] == [logging.ERROR]


async def test_an_error_of_a_generator_is_named_and_ends_the_stream(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def breaks() -> AsyncIterator[str]:
        yield "a"
        raise RuntimeError

    stream = await read(EventStreamResponse(breaks()))
    assert [name for name, _ in told(stream)] == ["message", "error"]
    assert caplog.records


async def test_an_item_that_is_not_valid_costs_nothing_but_itself() -> None:
    async def numbers() -> AsyncIterator[str]:
        for text in ("1", "two", "3"):
            yield text

    async def each(text: str) -> ServerEvent:
        if not text.isdigit():
            raise ItemError("invalid_field", f"{text!r} is no number.")
        return ServerEvent(data=int(text))

    stream = await read(EventStreamResponse(numbers(), each=each))
    assert [data for name, data in told(stream) if name == "message"] == ["1", "3"]
    assert codes(stream) == ["invalid_field"]
    assert b"'two' is no number." in stream


async def test_what_comes_too_late_is_a_timeout_and_ends_the_stream() -> None:
    source = Numbers("a", asyncio.Event(), "never")
    stream = await read(EventStreamResponse(source, timeout_seconds=0.05, heartbeat_seconds=0.02))
    assert codes(stream) == ["timeout"]
    assert json.loads(told(stream)[-1][1])["error"]["retryable"] is True
    assert source.closed == 1


async def test_an_iterator_that_only_fails_comes_to_an_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(Numbers):
        async def __anext__(self) -> Any:
            raise RuntimeError

    async with asyncio.timeout(5):
        assert codes(await read(EventStreamResponse(Broken()))) == ["internal"] * 10
    assert len(caplog.records) == 10


class NoIterator:
    def __aiter__(self) -> AsyncIterator[Any]:
        raise LookupError("planted for the test")


async def cancelled_within() -> AsyncIterator[Any]:
    inner = asyncio.ensure_future(asyncio.sleep(60))
    inner.cancel()
    yield "one"
    await inner
    yield "never"


@pytest.mark.parametrize("source", [NoIterator(), cancelled_within()])
async def test_a_source_that_breaks_off_without_a_word_comes_to_an_end(source: Any) -> None:
    async with asyncio.timeout(5):
        stream = await read(EventStreamResponse(source, heartbeat_seconds=1))
    assert "error" in [name for name, _ in told(stream)]


async def test_errors_may_be_told_in_other_words_or_not_at_all() -> None:
    def words(error: Exception) -> ServerEvent | None:
        return None if isinstance(error, KeyError) else ServerEvent(event="oops")

    events = Numbers(KeyError(), ValueError(), "c")
    stream = await read(EventStreamResponse(events, on_error=words))
    assert [name for name, _ in told(stream)] == ["oops", "message"]


@pytest.mark.parametrize("kind", [EventStreamResponse, TextStreamResponse, LinesStreamResponse])
async def test_the_source_is_closed_whether_it_was_begun_or_not(kind: Any) -> None:
    released: list[str] = []
    for steps in (0, 1, 2):
        source = Numbers("a", "b", "c", "d")
        response = kind(source, closing=[lambda: released.append("slot")])
        assert sum(open_streams().values()) == 1
        stream = aiter(response)
        for _ in range(steps):
            await anext(stream)
        await response._iterator.aclose()
        response.close()
        assert source.closed >= 1, steps
        assert open_streams() == {}
    assert released == ["slot"] * 3


async def test_a_source_is_iterated_and_closed_in_one_task() -> None:
    tasks: list[Any] = []

    async def source() -> AsyncIterator[str]:
        try:
            tasks.append(asyncio.current_task())
            yield "a"
            tasks.append(asyncio.current_task())
            await asyncio.Event().wait()
        finally:
            tasks.append(asyncio.current_task())

    response = EventStreamResponse(source())
    stream = aiter(response)
    for _ in range(2):
        await anext(stream)
    await until(lambda: len(tasks) == 2)
    await response._iterator.aclose()  # type: ignore[attr-defined]
    response.close()
    assert len(tasks) == 3 and len(set(tasks)) == 1


async def test_a_reader_that_does_not_read_makes_its_source_wait() -> None:
    made = 0

    async def source() -> AsyncIterator[int]:
        nonlocal made
        while True:
            made += 1
            yield made

    response = EventStreamResponse(source())
    stream = aiter(response)
    for _ in range(3):
        await anext(stream)
    for _ in range(20):
        await asyncio.sleep(0)
    assert made <= 5
    await response._iterator.aclose()  # type: ignore[attr-defined]
    response.close()


async def test_text_and_lines_are_what_they_say() -> None:
    text = TextStreamResponse(Numbers("Hold", "", "fast é"))
    assert text["Content-Type"] == "text/plain; charset=utf-8"
    assert await read(text) == "Holdfast é".encode()
    lines = LinesStreamResponse(Numbers({"done": 1}, {"report": "é"}))
    assert lines["X-Accel-Buffering"] == "no"
    assert await read(lines) == '{"done":1}\n{"report":"é"}\n'.encode()


async def test_small_items_are_joined_by_time() -> None:
    gate = asyncio.Event()

    class Paced(Numbers):
        async def __anext__(self) -> Any:
            await asyncio.sleep(0)
            return await super().__anext__()

    found = [
        one
        async for one in coalesced(Paced("a", *"bcdefgh", gate, "z"), every_ms=20_000)
        if not gate.set()
    ]
    assert found[0] == "a", "what comes after a pause goes at once"
    assert "".join(found) == "abcdefghlatez"
    assert len(found) == 2


async def test_small_items_are_joined_by_size() -> None:
    found = [one async for one in coalesced(Numbers(*(b"xy",) * 50), most=20, every_ms=60_000)]
    assert [len(one) for one in found] == [2, 20, 20, 20, 20, 18]


async def test_what_gathered_is_given_when_its_time_has_come() -> None:
    forever = asyncio.Event()
    stream = coalesced(Numbers("a", "b", "c", forever), every_ms=500)
    assert await anext(stream) == "a"
    async with asyncio.timeout(5):
        assert await anext(stream) == "bc"
    await stream.aclose()


async def test_what_gathered_before_an_error_is_not_lost() -> None:
    stream = coalesced(Numbers("a", "b", ValueError("planted")), every_ms=60_000)
    assert [await anext(stream), await anext(stream)] == ["a", "b"]
    with pytest.raises(ValueError, match="planted"):
        await anext(stream)
