"""A run ends exactly once, on the database of this process."""

import asyncio
from collections.abc import Sequence
from uuid import uuid4

import pytest
from django.db.models import Q
from django.utils import timezone

from conversations import ending
from conversations.models import Conversation
from streaming import runner, takeover, threads
from streaming.events import Ended
from streaming.models import Run
from streaming.outcome import Outcome, completed, failed, interrupted
from streaming.runner import NewRun
from streaming.settlement import End, Settled, settle, settle_transaction
from streaming.source import Finish, Source, Text, Usage
from streaming.statements import Fenced
from streaming.takeover import Seen
from streaming.transcript import Piece
from streaming.workers import LocalWorker
from tests.streaming.behind import MESSAGE, WORKER, behind, refusing, refusing_writes
from tests.streaming.production import (
    Tap,
    begin,
    fragment_count,
    new_run,
    reading,
    reply,
    run_exists,
    settled,
)
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("database_threads")


async def started(text: str = "stored") -> tuple[NewRun, End]:
    """A run with text in the journal, and its end as completed."""
    worker_id = uuid4()
    await threads.write(takeover.register, worker_id)
    new = await threads.write(lambda: new_run(worker_id, text=text))
    return new, End(worker_id, new.run_id, new.claim, completed("stop"))


async def end(one: End) -> Settled | Exception:
    return (await threads.write(settle_transaction, [one]))[0]


async def ask_to_stop(new: NewRun) -> None:
    await threads.write(
        lambda: Run.objects.filter(id=new.run_id).update(stop_requested_at=timezone.now())
    )


async def test_settling_writes_text_and_outcome_and_ends_the_run_row() -> None:
    new, one = await started()
    found = await end(one)
    assert isinstance(found, Settled)
    assert (found.ended.status, found.ended.text_length) == ("completed", 6)
    message = await reply(new.run_id)
    assert (message.status, message.content, message.claim) == ("completed", "stored", new.claim)
    assert not await run_exists(new.run_id)
    assert await fragment_count(new.run_id) == 0


async def test_pending_text_of_the_owner_is_part_of_the_end() -> None:
    new, one = await started()
    await end(one._replace(pending=[Piece(1, "text", 6, ", pending"), Piece(2, "text", 0, "!")]))
    assert (await reply(new.run_id)).content == "stored, pending!"


async def test_pending_text_that_was_stored_after_all_is_not_doubled() -> None:
    new, one = await started("abcdef")
    await end(one._replace(pending=[Piece(1, "text", 3, "defghi")]))
    assert (await reply(new.run_id)).content == "abcdefghi"


async def test_a_second_settlement_changes_nothing() -> None:
    new, one = await started()
    await end(one)
    other = one._replace(claim=uuid4(), outcome=failed("internal"))
    assert isinstance(await end(other), Fenced)
    assert (await reply(new.run_id)).status == "completed"


async def test_a_retry_after_an_unknown_commit_recognises_itself() -> None:
    _, one = await started()
    assert await end(one) == await end(one)


async def test_a_fenced_worker_recognises_what_it_had_settled() -> None:
    _, one = await started()
    first = await end(one)
    await threads.write(takeover.declare_dead, Seen(one.worker_id, 0))
    assert await end(one) == first


async def test_a_worker_that_was_declared_dead_cannot_settle() -> None:
    new, one = await started()
    await threads.write(takeover.declare_dead, Seen(one.worker_id, 0))
    assert isinstance(await end(one), Fenced)
    assert await run_exists(new.run_id)
    assert (await reply(new.run_id)).status == "running"


async def test_a_producer_before_a_reopening_cannot_settle() -> None:
    new, one = await started()
    assert isinstance(await end(one._replace(claim=uuid4())), Fenced)
    assert await run_exists(new.run_id)


async def test_a_settlement_that_meets_an_open_takeover_waits_and_is_fenced() -> None:
    new, one = await started()
    with behind() as taker, behind() as watcher:
        taker.begin()
        taker.execute(f"UPDATE {WORKER} SET alive = false WHERE id = %s", one.worker_id)
        ending = asyncio.ensure_future(end(one))
        await until(lambda: ending.done() or watcher.waiting())
        assert not ending.done()
        taker.commit()
        assert isinstance(await ending, Fenced)
    assert await run_exists(new.run_id)


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (interrupted("worker_lost"), "stopped"),
        (interrupted("shutdown"), "stopped"),
        (failed("upstream_reset"), "stopped"),
        (completed("stop"), "completed"),
    ],
)
async def test_a_recorded_stop_wins_but_never_over_completion(
    outcome: Outcome, status: str
) -> None:
    new, one = await started()
    await ask_to_stop(new)
    await end(one._replace(outcome=outcome))
    message = await reply(new.run_id)
    assert message.status == status
    assert message.reason == ("user" if status == "stopped" else "stop")


async def test_pending_text_of_a_stopped_run_is_dropped() -> None:
    new, one = await started()
    await ask_to_stop(new)
    pending = [Piece(1, "text", 6, ", not seen")]
    await end(one._replace(outcome=interrupted("shutdown"), pending=pending))
    assert (await reply(new.run_id)).content == "stored"


async def test_the_run_of_a_deleted_conversation_ends_as_deleted() -> None:
    new, one = await started()
    which = new.about["conversation_id"]
    await threads.write(lambda: Conversation.objects.filter(id=which).delete())
    found = await end(one)
    assert isinstance(found, Settled)
    assert (found.ended.status, found.ended.reason) == ("stopped", "deleted")
    assert not await run_exists(new.run_id)
    assert await fragment_count(new.run_id) == 0


async def test_one_bad_end_does_not_cost_the_others_theirs() -> None:
    all_started = [await started(f"reply {number}") for number in range(3)]
    bad = all_started[1][0]
    with refusing(MESSAGE, "id", bad.run_id):
        results: Sequence[object] = await settle([one for _, one in all_started])
    assert [isinstance(result, Settled) for result in results] == [True, False, True]
    assert [(await reply(new.run_id)).status for new, _ in all_started] == [
        "completed",
        "running",
        "completed",
    ]


async def test_text_that_is_refused_at_the_end_goes_and_the_rest_stays() -> None:
    new, one = await started("kept")
    with refusing(MESSAGE, "content", "kept, refused"):
        [found] = await settle([one._replace(pending=[Piece(1, "text", 4, ", refused")])])
    assert isinstance(found, Settled)
    message = await reply(new.run_id)
    assert (message.status, message.reason, message.content) == ("failed", "internal", "kept")


async def test_a_bogus_count_of_tokens_does_not_cost_the_reply(worker: LocalWorker) -> None:
    async def source() -> Source:
        yield Text("fine")
        yield Usage(10**30, -1)
        yield Finish()

    message = await settled(await begin(worker, source()))
    assert (message.status, message.content) == ("completed", "fine")
    assert (message.input_tokens, message.output_tokens) == (None, None)


@pytest.mark.usefixtures("impatient_database")
async def test_settling_waits_for_storage_as_long_as_it_takes(worker: LocalWorker) -> None:
    tap = Tap()
    run = await begin(worker, tap)
    async with reading(worker, run.run_id) as reader:
        tap.say("all")
        await reader.has("all")
        with refusing_writes():
            tap.finish()
            await until(lambda: run.outcome is not None)
            # Longer than one attempt takes, so that at least one was refused.
            deadline = asyncio.get_running_loop().time() + 0.5
            await until(lambda: asyncio.get_running_loop().time() > deadline)
            assert reader.ended is None
        ended = await reader.end()
    assert isinstance(ended, Ended)
    assert (await settled(run)).status == "completed"


async def test_a_reader_that_is_cancelled_again_and_again_does_not_disturb_the_end(
    worker: LocalWorker,
) -> None:
    tap = Tap()
    run = await begin(worker, tap)
    reading_task = asyncio.create_task(_read_all(worker, run.run_id))
    with refusing_writes():
        tap.say("whole")
        tap.finish()
        await until(lambda: run.outcome is not None)
        for _ in range(3):
            reading_task.cancel()
            await asyncio.sleep(0)
    await asyncio.gather(reading_task, return_exceptions=True)
    assert (await settled(run)).content == "whole"


async def _read_all(worker: LocalWorker, run_id: object) -> None:
    async with reading(worker, run_id) as reader:  # type: ignore[arg-type]
        await reader.closed()


async def test_whoever_waits_for_a_settlement_may_be_cancelled_twice(worker: LocalWorker) -> None:
    new = await threads.write(lambda: new_run(worker.id, text="kept"))
    one = End(worker.id, new.run_id, new.claim, completed("stop"))
    with refusing_writes():
        waiting = asyncio.create_task(worker.settlements.submit(one))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        waiting.cancel()
    await until(lambda: _settled(new))
    assert (await reply(new.run_id)).content == "kept"


async def _settled(new: NewRun) -> bool:
    return not await run_exists(new.run_id)


async def test_a_batch_in_flight_is_stored_before_its_run_is_settled(worker: LocalWorker) -> None:
    tap = Tap()
    run = await begin(worker, tap)
    with refusing_writes():
        tap.say("in flight")
        await until(lambda: tap.taken == 1 and not run.transcript.pending_characters)
        tap.say(", pending")
        tap.finish()
        await until(lambda: run.outcome is not None)
    assert (await settled(run)).content == "in flight, pending"
    assert await fragment_count(run.run_id) == 0


async def test_stop_keeps_the_batch_in_flight_and_drops_what_is_pending(
    worker: LocalWorker,
) -> None:
    tap = Tap()
    run = await begin(worker, tap)
    with refusing_writes():
        tap.say("in flight")
        await until(lambda: tap.taken == 1 and not run.transcript.pending_characters)
        tap.say(", pending")
        await until(lambda: tap.taken == 2)
        runner.stop(worker, run.run_id)
    message = await settled(run)
    assert (message.status, message.content) == ("stopped", "in flight")


async def test_a_conversation_deleted_in_mid_reply_tells_its_readers(worker: LocalWorker) -> None:
    tap = Tap()
    run = await begin(worker, tap)
    which = run.about["conversation_id"]
    async with reading(worker, run.run_id) as reader:
        tap.say("going")
        await reader.has("going")
        assert await threads.write(ending.discard, Q(id=which)) == [run.run_id]
        ended = await reader.end()
    assert (ended.status, ended.reason) == ("stopped", "deleted")
    assert tap.closed.is_set()
    assert not await run_exists(run.run_id)
    assert await fragment_count(run.run_id) == 0


async def test_ends_that_come_together_are_one_transaction(worker: LocalWorker) -> None:
    taps = [Tap() for _ in range(20)]
    runs = [await begin(worker, tap) for tap in taps]
    for number, tap in enumerate(taps):
        tap.say(f"reply {number}")
        tap.finish()
    messages = [await settled(run) for run in runs]
    assert [m.content for m in messages] == [f"reply {number}" for number in range(20)]
    assert {m.status for m in messages} == {"completed"}
