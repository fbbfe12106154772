"""A subscription as a response."""

import asyncio
import json
from contextlib import aclosing
from typing import Any

from django.http import StreamingHttpResponse

from streaming import runner
from streaming.cursor import Cursor
from streaming.responses import EventStreamResponse, TextStreamResponse
from streaming.source import Reasoning, Text
from streaming.subscription import subscribe
from streaming.workers import LocalWorker
from tests.conftest import SetStreaming
from tests.streaming.production import Tap, begin, settled
from tests.streaming.test_sse import parse
from tests.waiting import until


async def body(response: StreamingHttpResponse) -> bytes:
    return b"".join([part async for part in aiter(response)])


async def spoken(worker: LocalWorker) -> Any:
    tap = Tap()
    run = await begin(worker, tap)
    for item in (Reasoning("hm"), Text("Hold"), Text("fast é😀")):
        tap.give(item)
    tap.finish()
    await settled(run)
    return run


async def test_headers_forbid_what_would_delay_or_change_a_stream(worker: LocalWorker) -> None:
    run = await spoken(worker)
    response = EventStreamResponse(await subscribe(worker, run.run_id))
    assert response["Content-Type"] == "text/event-stream; charset=utf-8"
    assert response["Cache-Control"] == "no-cache, no-transform"
    assert response["X-Accel-Buffering"] == "no"
    assert "Content-Encoding" not in response and "Content-Length" not in response
    response.close()


async def test_a_stream_is_retry_started_text_and_end(worker: LocalWorker) -> None:
    run = await spoken(worker)
    stream = await body(EventStreamResponse(await subscribe(worker, run.run_id)))
    assert stream.startswith(b"retry: 2000\n\nevent: started\n")
    events = parse(stream)
    assert [event["event"] for event in events] == ["started", "delta", "delta", "ended"]
    assert all(json.loads(event["data"])["type"] == event["event"] for event in events)
    assert events[-1]["id"] == "2-11.end"
    assert worker.reader_count == 0


async def test_a_resumed_stream_has_the_rest_alone(worker: LocalWorker) -> None:
    run = await spoken(worker)
    stream = await body(EventStreamResponse(await subscribe(worker, run.run_id, Cursor(2, 4))))
    deltas = [json.loads(e["data"]) for e in parse(stream) if e["event"] == "delta"]
    assert [(delta["at"], delta["text"]) for delta in deltas] == [("2-4", "fast é😀")]


async def test_plain_text_is_the_reply_without_reasoning(worker: LocalWorker) -> None:
    run = await spoken(worker)
    response = TextStreamResponse(await subscribe(worker, run.run_id))
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert await body(response) == "Holdfast é😀".encode()


async def test_a_response_that_was_never_sent_leaves_no_reader(worker: LocalWorker) -> None:
    run = await begin(worker, Tap())
    for kind in (EventStreamResponse, TextStreamResponse):
        response = kind(await subscribe(worker, run.run_id))
        assert worker.reader_count == 1
        response.close()
        assert worker.reader_count == 0
    runner.stop(worker, run.run_id)


async def test_a_stream_that_is_left_leaves_no_reader(worker: LocalWorker) -> None:
    run = await begin(worker, Tap())
    response = EventStreamResponse(await subscribe(worker, run.run_id))
    async with aclosing(response._iterator) as stream:  # type: ignore[attr-defined]
        async for part in stream:
            if b"started" in part:
                break
    assert worker.reader_count == 0
    runner.stop(worker, run.run_id)


async def test_a_planned_close_has_no_end(worker: LocalWorker, set_streaming: SetStreaming) -> None:
    set_streaming(CONNECTION_SECONDS=0.2)
    run = await begin(worker, Tap())
    stream = await body(EventStreamResponse(await subscribe(worker, run.run_id)))
    assert b"event: ended" not in stream
    runner.stop(worker, run.run_id)


async def test_a_replay_to_a_fast_reader_gives_the_loop_its_turns(worker: LocalWorker) -> None:
    tap = Tap()
    run = await begin(worker, tap)
    tap.say("x" * 400_000)
    tap.finish()
    await settled(run)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counter = asyncio.create_task(count())
    await until(lambda: turns)
    before = turns
    parts = len(parse(await body(EventStreamResponse(await subscribe(worker, run.run_id)))))
    assert turns - before >= parts - 1
    counter.cancel()
