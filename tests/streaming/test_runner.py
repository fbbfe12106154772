"""A run from its start to its outcome, in memory and in the database."""

import asyncio
import logging
from typing import Any

import pytest

from streaming import runner
from streaming.source import Finish, Progress, Reasoning, Source, SourceFailed, Text, Usage
from streaming.workers import LocalWorker
from tests.conftest import SetStreaming
from tests.streaming.behind import refusing_writes
from tests.streaming.production import (
    Tap,
    begin,
    fragment_count,
    reading,
    run_exists,
    settled,
    stored_text,
)
from tests.waiting import until


async def test_a_finished_source_completes_the_reply_with_its_text(worker: LocalWorker) -> None:
    tap = Tap()
    run = await begin(worker, tap)
    tap.say("Hold", "fast")
    tap.give(Usage(3, 5))
    tap.finish("stop")
    reply = await settled(run)
    assert (reply.status, reply.reason, reply.content) == ("completed", "stop", "Holdfast")
    assert (reply.input_tokens, reply.output_tokens) == (3, 5)
    assert reply.first_token_ms is not None and reply.duration_ms is not None
    assert not await run_exists(run.run_id)
    assert await fragment_count(run.run_id) == 0


async def test_reasoning_and_text_are_parts_of_their_own(worker: LocalWorker) -> None:
    tap = Tap()
    run = await begin(worker, tap)
    for item in (Reasoning("hm, "), Reasoning("so"), Text("Yes"), Finish()):
        tap.give(item)
    reply = await settled(run)
    assert reply.parts == [{"kind": "reasoning", "text": "hm, so"}, {"kind": "text", "text": "Yes"}]
    assert reply.content == "Yes"
    assert str(reply.cursor) == "2-3"


async def test_text_is_stored_before_it_is_shown(worker: LocalWorker) -> None:
    tap = Tap()
    run = await begin(worker, tap)
    async with reading(worker, run.run_id) as reader:
        said = ""
        for word in ("one ", "two ", "three"):
            tap.say(word)
            said += word
            await reader.has(said)
            assert await stored_text(run.run_id) == said
        tap.finish()
        await reader.end()


async def test_a_reader_gets_ended_only_after_the_outcome_is_stored(worker: LocalWorker) -> None:
    tap = Tap()
    run = await begin(worker, tap)
    async with reading(worker, run.run_id) as reader:
        tap.say("all")
        tap.finish()
        ended = await reader.end()
        assert not await run_exists(run.run_id)
        assert (ended.status, ended.text_length, str(ended.cursor)) == ("completed", 3, "1-3")


async def test_stop_keeps_what_is_stored_and_ends_the_source(worker: LocalWorker) -> None:
    tap = Tap()
    run = await begin(worker, tap)
    async with reading(worker, run.run_id) as reader:
        tap.say("kept")
        await reader.has("kept")
        assert runner.stop(worker, run.run_id)
        ended = await reader.end()
    assert (ended.status, ended.reason) == ("stopped", "user")
    assert tap.closed.is_set()
    assert (await settled(run)).content == "kept"


async def test_stop_before_the_first_token_is_stopped_and_empty(worker: LocalWorker) -> None:
    run = await begin(worker, Tap())
    runner.stop(worker, run.run_id)
    reply = await settled(run)
    assert (reply.status, reply.content, str(reply.cursor)) == ("stopped", "", "0-0")


async def test_stop_after_the_source_finished_cuts_nothing(worker: LocalWorker) -> None:
    """The last text may still wait for its commit when the button is pressed."""
    tap = Tap()
    run = await begin(worker, tap)
    tap.say("the whole ", "answer")
    tap.finish()
    await until(lambda: run.outcome is not None)
    runner.stop(worker, run.run_id)
    reply = await settled(run)
    assert (reply.status, reply.content) == ("completed", "the whole answer")


async def test_stopping_an_unknown_run_says_so(worker: LocalWorker) -> None:
    run = await begin(worker, Tap())
    runner.stop(worker, run.run_id)
    await settled(run)
    assert runner.stop(worker, run.run_id) is False


@pytest.mark.parametrize("reason", ["upstream_reset", "upstream_refused"])
async def test_a_failed_source_keeps_its_text_and_names_the_reason(
    worker: LocalWorker, reason: str
) -> None:
    tap = Tap()
    run = await begin(worker, tap)
    tap.say("half")
    tap.give(SourceFailed(reason))
    reply = await settled(run)
    assert (reply.status, reply.reason, reply.content) == ("failed", reason, "half")
    assert reply.retryable is (reason == "upstream_reset")


async def test_a_source_that_raises_fails_the_run_as_internal_and_is_logged(
    worker: LocalWorker, caplog: pytest.LogCaptureFixture
) -> None:
    tap = Tap()
    run = await begin(worker, tap)
    tap.say("half")
    tap.give(RuntimeError("planted"))
    reply = await settled(run)
    assert (reply.status, reply.reason, reply.content) == ("failed", "internal", "half")
    assert [r for r in caplog.records if r.levelno >= logging.ERROR and r.exc_info]


async def test_a_source_that_just_ends_is_incomplete(worker: LocalWorker) -> None:
    async def source() -> Source:
        yield Text("cut")

    reply = await settled(await begin(worker, source()))
    assert (reply.status, reply.reason, reply.content) == ("failed", "upstream_incomplete", "cut")


async def test_half_a_surrogate_pair_at_the_end_is_replaced(worker: LocalWorker) -> None:
    tap = Tap()
    run = await begin(worker, tap)
    tap.say("a\ud83d")
    tap.finish()
    assert (await settled(run)).content == "a\ufffd"


async def test_a_reply_over_its_limit_is_completed_with_length(
    worker: LocalWorker, set_streaming: SetStreaming
) -> None:
    set_streaming(REPLY_CHARACTERS=10)
    tap = Tap()
    run = await begin(worker, tap)
    tap.say("123456", "789012345")
    reply = await settled(run)
    assert (reply.status, reply.reason, reply.content) == ("completed", "length", "1234567890")
    assert tap.closed.is_set()


async def test_no_progress_ends_a_run_that_waits_for_its_source(
    worker: LocalWorker, set_streaming: SetStreaming
) -> None:
    set_streaming(NO_PROGRESS_SECONDS=0.3)
    tap = Tap()
    run = await begin(worker, tap)
    tap.say("then silence")
    reply = await settled(run)
    assert (reply.status, reply.reason, reply.content) == ("failed", "no_progress", "then silence")


async def test_a_keep_alive_is_progress(worker: LocalWorker, set_streaming: SetStreaming) -> None:
    set_streaming(NO_PROGRESS_SECONDS=60)
    tap = Tap()
    run = await begin(worker, tap)
    await until(lambda: run.awaiting_since)
    noted = run.awaiting_since
    tap.give(Progress())
    await until(lambda: run.awaiting_since and run.awaiting_since > noted)
    tap.finish()
    assert (await settled(run)).status == "completed"


async def test_a_deadline_ends_a_run_that_never_stops_talking(
    worker: LocalWorker, set_streaming: SetStreaming
) -> None:
    set_streaming(DEADLINE_SECONDS=0.4)

    async def source() -> Source:
        while True:
            await asyncio.sleep(0.01)
            yield Text("x")

    reply = await settled(await begin(worker, source()))
    assert (reply.status, reply.reason) == ("failed", "deadline")
    assert reply.content.strip("x") == "" and reply.content


async def test_a_full_pending_buffer_stops_reading_the_upstream(
    worker: LocalWorker, set_streaming: SetStreaming
) -> None:
    set_streaming(PENDING_CHARACTERS=10)
    tap = Tap()
    run = await begin(worker, tap)
    with refusing_writes():
        tap.say(*["12345"] * 100)
        await until(lambda: tap.taken >= 2)
        # Everything that the loop can do without a commit is done after some turns.
        for _ in range(50):
            await asyncio.sleep(0)
        assert run.transcript.pending_characters <= 10
        assert tap.taken <= 5  # two may be in the batch that storage does not take
    await until(lambda: tap.taken == 100)
    runner.stop(worker, run.run_id)


async def test_a_source_that_does_not_close_adds_nothing_after_the_stop(
    worker: LocalWorker,
) -> None:
    """It swallows its cancellation and goes on talking; nobody listens any more."""
    release = asyncio.Event()
    done = asyncio.Event()

    async def source() -> Source:
        yield Text("before")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await release.wait()
        yield Text("after")
        done.set()
        yield Finish()

    run = await begin(worker, source())
    async with reading(worker, run.run_id) as reader:
        await reader.has("before")
        runner.stop(worker, run.run_id)
        release.set()
        ended = await reader.end()
    assert (ended.status, ended.text_length) == ("stopped", 6)
    assert (await settled(run)).content == "before"
    assert await fragment_count(run.run_id) == 0
    assert run.run_id not in worker.runs


async def test_a_run_outlives_whoever_started_it(worker: LocalWorker) -> None:
    tap = Tap()
    started: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def request() -> None:
        started.set_result(await begin(worker, tap))
        await asyncio.Event().wait()

    task = asyncio.create_task(request())
    run = await started
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    tap.say("still here")
    tap.finish()
    assert (await settled(run)).content == "still here"
