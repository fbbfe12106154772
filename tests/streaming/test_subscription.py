"""One reader of one run."""

import asyncio
import gc
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from streaming import runner, threads
from streaming.clocks import Clocks
from streaming.cursor import START, BadCursor, Cursor
from streaming.events import Delta, Ended, Event, Started
from streaming.models import Run
from streaming.source import Reasoning, Text
from streaming.subscription import (
    NoSuchRun,
    Subscription,
    depart,
    record_departures,
    subscribe,
)
from streaming.transcript import digest_of
from streaming.workers import LocalWorker
from tests.conftest import SetStreaming
from tests.streaming.behind import RUN, behind, refusing_fragments, refusing_writes
from tests.streaming.production import Tap, begin, reading, settled
from tests.waiting import until


def cursor_of(event: Event) -> Cursor | None:
    return event.cursor if isinstance(event, Started | Delta | Ended) else None


async def departed(run_id: UUID) -> bool:
    return await threads.read(
        lambda: Run.objects.filter(id=run_id, departed_at__isnull=False).exists()
    )


async def test_started_comes_at_once_before_the_source_answers(worker: LocalWorker) -> None:
    run = await begin(worker, Tap())
    subscription = await subscribe(worker, run.run_id)
    assert subscription.take() == Started(run.run_id, run.about, START)
    assert subscription.take() is None
    subscription.close()


async def test_each_delta_follows_the_event_before_it_also_across_parts(
    worker: LocalWorker,
) -> None:
    tap = Tap()
    run = await begin(worker, tap)
    async with reading(worker, run.run_id) as reader:
        for item in (Reasoning("hm"), Reasoning(" so"), Text("Yes"), Text(", sir")):
            tap.give(item)
        tap.finish()
        ended = await reader.end()
    before = START
    for event in reader.events:
        if isinstance(event, Delta):
            assert event.at == before
        before = cursor_of(event) or before
    assert ended.cursor == before == Cursor(2, 8)
    assert ended.text_sha256 == digest_of("Yes, sir")


async def test_a_late_reader_gets_one_merged_delta(worker: LocalWorker) -> None:
    tap = Tap()
    run = await begin(worker, tap)
    async with reading(worker, run.run_id) as first:
        for number, letter in enumerate("letters", 1):
            tap.say(letter)
            await first.has("letters"[:number])
        async with reading(worker, run.run_id, Cursor(1, 2)) as late:
            await late.has("tters")
            assert [delta.at for delta in late.deltas] == [Cursor(1, 2)]
            assert late.started is not None and late.started.cursor == Cursor(1, 2)


async def test_a_settled_reply_is_read_from_any_cursor(worker: LocalWorker) -> None:
    tap = Tap()
    run = await begin(worker, tap)
    tap.say("long ago")
    tap.finish()
    await settled(run)
    for cursor, rest in ((START, "long ago"), (Cursor(1, 5), "ago"), (Cursor(1, 8), "")):
        async with reading(worker, run.run_id, cursor) as reader:
            ended = await reader.end()
        assert (reader.text, ended.status, ended.text_length) == (rest, "completed", 8)


async def test_a_cursor_beyond_the_end_is_refused_live_and_settled(worker: LocalWorker) -> None:
    tap = Tap()
    run = await begin(worker, tap)
    async with reading(worker, run.run_id) as reader:
        tap.say("abc")
        await reader.has("abc")
        with pytest.raises(BadCursor):
            await subscribe(worker, run.run_id, Cursor(1, 4))
    tap.finish()
    await settled(run)
    with pytest.raises(BadCursor):
        await subscribe(worker, run.run_id, Cursor(1, 4))
    assert worker.reader_count == 0


async def test_what_does_not_exist_cannot_be_read(worker: LocalWorker) -> None:
    with pytest.raises(NoSuchRun):
        await subscribe(worker, uuid4())


async def test_a_quiet_run_gives_signs_of_life(
    worker: LocalWorker, set_streaming: SetStreaming
) -> None:
    set_streaming(HEARTBEAT_SECONDS=0.05)
    tap = Tap()
    run = await begin(worker, tap)
    async with reading(worker, run.run_id) as reader:
        await until(lambda: len(reader.pings) >= 2)
        assert reader.pings[0].state == "waiting"
        tap.say("x")
        await until(lambda: reader.pings[-1].state == "streaming")
        assert reader.pings[-1].idle_seconds < 5


async def test_a_heartbeat_of_0_is_no_heartbeat(
    worker: LocalWorker, set_streaming: SetStreaming
) -> None:
    set_streaming(HEARTBEAT_SECONDS=0)
    tap = Tap()
    run = await begin(worker, tap)
    async with reading(worker, run.run_id) as reader:
        tap.say("text, not pings")
        await reader.has("text, not pings")
        tap.finish()
        await reader.end()
    assert reader.pings == []


async def test_a_connection_closes_as_planned_without_an_end(
    worker: LocalWorker, set_streaming: SetStreaming
) -> None:
    set_streaming(CONNECTION_SECONDS=1)
    tap = Tap()
    run = await begin(worker, tap)
    tap.say("so far")
    await until(lambda: str(run.transcript.end) == "1-6")
    async with reading(worker, run.run_id) as reader:
        await reader.closed()
    assert (reader.text, reader.ended) == ("so far", None)
    assert not await departed(run.run_id)
    runner.stop(worker, run.run_id)


async def test_a_planned_close_gives_the_text_that_is_there_first(worker: LocalWorker) -> None:
    tap = Tap()
    run = await begin(worker, tap)
    async with reading(worker, run.run_id) as reader:
        tap.say("all of it")
        await reader.has("all of it")
        async with reading(worker, run.run_id) as late:
            late.subscription.plan_close()
            await late.closed()
            assert late.text == "all of it"
            assert late.ended is None


async def test_a_reader_that_leaves_is_recorded_and_disturbs_nobody(worker: LocalWorker) -> None:
    tap = Tap()
    run = await begin(worker, tap)
    async with reading(worker, run.run_id) as staying:
        async with reading(worker, run.run_id) as leaving:
            tap.say("one")
            await leaving.has("one")
        assert await departed(run.run_id)
        assert worker.reader_count == 1
        tap.say(" two")
        tap.finish()
        await staying.end()
        assert staying.text == "one two"
    assert worker.reader_count == 0


async def test_a_reader_that_saw_the_end_has_not_departed(worker: LocalWorker) -> None:
    tap = Tap()
    run = await begin(worker, tap)
    tap.finish()
    async with reading(worker, run.run_id) as reader:
        await reader.end()
    assert reader.subscription.finished


async def test_a_departure_is_recorded_though_whoever_records_it_is_cancelled_twice(
    worker: LocalWorker,
) -> None:
    run = await begin(worker, Tap())
    subscription = await subscribe(worker, run.run_id)
    with refusing_writes():
        leaving = asyncio.create_task(depart(subscription))
        for _ in range(2):
            await asyncio.sleep(0)
            leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
    await until(lambda: departed(run.run_id))
    runner.stop(worker, run.run_id)


async def test_a_reader_that_does_not_read_costs_a_cursor(worker: LocalWorker) -> None:
    woken = 0

    def notify() -> None:
        nonlocal woken
        woken += 1

    tap = Tap()
    run = await begin(worker, tap)
    lazy = await subscribe(worker, run.run_id, notify=notify)
    async with reading(worker, run.run_id) as reader:
        said = ""
        for number in range(20):
            tap.say(f"{number} ")
            said += f"{number} "
            await reader.has(said)
    assert woken >= 20
    assert isinstance(lazy.take(), Started)
    found: list[Event | None] = [lazy.take(), lazy.take()]
    assert isinstance(found[0], Delta) and found[0].text == said
    assert found[1] is None
    lazy.close()
    lazy.close()
    runner.stop(worker, run.run_id)


async def test_the_last_reader_s_leaving_ends_a_run_under_stop(
    worker: LocalWorker, set_streaming: SetStreaming
) -> None:
    set_streaming(DISCONNECT_GRACE_SECONDS=0)
    tap = Tap()
    run = await begin(worker, tap, on_disconnect="stop")
    async with reading(worker, run.run_id) as reader:
        tap.say("kept")
        await reader.has("kept")
    reply = await settled(run)
    assert (reply.status, reply.reason, reply.content) == (
        "interrupted",
        "client_disconnected",
        "kept",
    )
    assert tap.closed.is_set()


async def test_under_continue_a_run_needs_no_reader(
    worker: LocalWorker, set_streaming: SetStreaming
) -> None:
    set_streaming(DISCONNECT_GRACE_SECONDS=0)
    tap = Tap()
    run = await begin(worker, tap)
    async with reading(worker, run.run_id):
        pass
    checks = asyncio.get_running_loop().time() + 0.8
    await until(lambda: asyncio.get_running_loop().time() > checks)
    tap.say("alone")
    tap.finish()
    assert (await settled(run)).content == "alone"


async def test_a_return_in_time_is_no_departure(
    worker: LocalWorker, set_streaming: SetStreaming
) -> None:
    set_streaming(DISCONNECT_GRACE_SECONDS=1.0)
    tap = Tap()
    run = await begin(worker, tap, on_disconnect="stop")
    async with reading(worker, run.run_id):
        pass
    async with reading(worker, run.run_id) as back:
        longer = asyncio.get_running_loop().time() + 1.6
        await until(lambda: asyncio.get_running_loop().time() > longer)
        tap.say("welcome back")
        tap.finish()
        assert (await back.end()).status == "completed"


async def test_a_reader_who_comes_while_readers_elsewhere_are_looked_for_is_one(
    worker: LocalWorker, set_streaming: SetStreaming
) -> None:
    set_streaming(DISCONNECT_GRACE_SECONDS=0)
    run = await begin(worker, Tap(), on_disconnect="stop")
    async with reading(worker, run.run_id) as early:
        await threads.write(
            lambda: Run.objects.filter(id=run.run_id).update(
                watched_until=timezone.now() + timedelta(seconds=60)
            )
        )
        await early.leave()
    looking = asyncio.ensure_future(Clocks(worker).check_departures())
    await asyncio.sleep(0)
    reader = Subscription(worker, run)
    await looking
    assert run.departed_at is None
    reader.close()
    run.stop("user")


async def test_a_cursor_in_text_whose_commit_is_on_its_way_is_taken(worker: LocalWorker) -> None:
    tap = Tap()
    run = await begin(worker, tap)
    with refusing_fragments():
        tap.say("Holdfast")
        await until(lambda: worker.journal.failing_since is not None)
        subscription = await subscribe(worker, run.run_id, Cursor(1, 4))
        with pytest.raises(BadCursor):
            await subscribe(worker, run.run_id, Cursor(1, 9))
        assert isinstance(subscription.take(), Started)
        assert subscription.take() is None
    await until(lambda: run.transcript.end == Cursor(1, 8))
    delta = subscription.take()
    assert isinstance(delta, Delta)
    assert delta.text == "fast"
    subscription.close()
    run.stop("user")


async def test_a_planned_close_is_no_departure(
    worker: LocalWorker, set_streaming: SetStreaming
) -> None:
    set_streaming(DISCONNECT_GRACE_SECONDS=0, CONNECTION_SECONDS=0.3)
    tap = Tap()
    run = await begin(worker, tap, on_disconnect="stop")
    async with reading(worker, run.run_id) as reader:
        await reader.closed()
    away = asyncio.get_running_loop().time() + 0.8
    await until(lambda: asyncio.get_running_loop().time() > away)
    assert run.outcome is None
    tap.finish()
    assert (await settled(run)).status == "completed"


async def test_a_departure_that_fails_when_nobody_waits_for_it_any_more_is_quiet(
    database_threads: None, set_streaming: SetStreaming
) -> None:
    set_streaming(LEASE_SECONDS=0.2)
    complaints: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context["message"]))
    with behind() as other:
        other.begin()
        other.execute(f"ALTER TABLE {RUN} RENAME TO away")
        await record_departures([uuid4()])
        other.commit()
        try:
            await threads.close_connections()  # waits for all that was begun
        finally:
            other.execute(f"ALTER TABLE away RENAME TO {RUN}")
    await asyncio.sleep(0)
    gc.collect()
    assert not complaints
