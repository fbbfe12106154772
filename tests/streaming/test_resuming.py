"""Runs of lost workers that go on elsewhere, on the database of this process."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError, transaction
from django.utils import timezone

from conversations.recorder import MessageRecorder
from streaming import resuming, runner, takeover, threads
from streaming.clocks import Clocks
from streaming.lockfile import LockFile
from streaming.models import Run, Worker
from streaming.orphans import Orphans
from streaming.outcome import Spent, Usage
from streaming.recorder import Resumption
from streaming.resuming import Unresumable
from streaming.runner import NewRun
from streaming.source import Reasoning, Source
from streaming.source import Usage as SourceUsage
from streaming.statements import Fenced, insert
from streaming.takeover import Seen
from streaming.transcript import Piece, StoredPart
from streaming.unsure import Unsure
from streaming.watch import Watch
from streaming.workers import LocalWorker
from tests.conftest import MakeWorker, SetStreaming
from tests.streaming.production import (
    Tap,
    begin,
    connected,
    fragment_count,
    lose_the_answer,
    new_run,
    reading,
    reply,
    run_exists,
    stored_text,
)
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("database_threads", "continuing")

_taps: dict[UUID, Tap] = {}
_spent: dict[UUID, Spent] = {}


class TapRecorder(MessageRecorder):
    """One whose runs go on with what the test hands them, or not at all."""

    def resume(self, run_id: UUID, parts: list[StoredPart]) -> Resumption | None:
        tap = _taps.get(run_id)
        if tap is None:
            return None
        return Resumption(tap.stream, _spent.get(run_id, Spent()))


class FailingRecorder(MessageRecorder):
    def resume(self, run_id: UUID, parts: list[StoredPart]) -> Resumption | None:
        raise LookupError("planted for the test")


class StuckRecorder(TapRecorder):
    """One whose storage fails for runs without a tap."""

    def resume(self, run_id: UUID, parts: list[StoredPart]) -> Resumption | None:
        if run_id not in _taps:
            raise OperationalError("planted for the test")
        return super().resume(run_id, parts)


class DeafRecorder(TapRecorder):
    """One whose transactions are committed, and never hear of it, for the runs that it is told."""

    deaf_for: ClassVar[set[UUID]] = set()

    def resume(self, run_id: UUID, parts: list[StoredPart]) -> Resumption | None:
        if run_id in self.deaf_for:
            self.deaf_for.remove(run_id)
            transaction.on_commit(lose_the_answer)
        return super().resume(run_id, parts)


class SourcelessRecorder(MessageRecorder):
    def resume(self, run_id: UUID, parts: list[StoredPart]) -> Resumption | None:
        return Resumption(_no_source, Spent())


def _no_source() -> Source:
    raise LookupError("planted for the test")


@pytest.fixture
def continuing(set_streaming: SetStreaming) -> Iterator[None]:
    set_streaming(ON_WORKER_LOSS="continue", RECORDER=f"{__name__}.TapRecorder")
    yield
    _taps.clear()
    _spent.clear()
    DeafRecorder.deaf_for.clear()


async def alive() -> UUID:
    """A worker that is alive, as rows say."""
    worker_id = uuid4()
    await threads.write(takeover.register, worker_id)
    return worker_id


async def lost_run(text: str = "seen", **columns: object) -> tuple[NewRun, Tap]:
    """A run whose worker is gone, and what it may go on with."""
    new = await threads.write(lambda: new_run(uuid4(), text=text))
    if columns:
        await threads.write(lambda: Run.objects.filter(id=new.run_id).update(**columns))
    _taps[new.run_id] = Tap()
    return new, _taps[new.run_id]


async def row(run_id: UUID) -> Run:
    return await threads.read(lambda: Run.objects.get(id=run_id))


async def gone(run_id: UUID) -> bool:
    return not await run_exists(run_id)


async def fence(worker: LocalWorker) -> None:
    """Declare a living worker dead, as others do after it was paused."""

    def declare() -> bool:
        beat = Worker.objects.get(id=worker.id).beat
        return takeover.declare_dead(Seen(worker.id, beat))

    await until(lambda: threads.read(declare))


# The transaction


async def test_a_lost_run_becomes_ours_with_its_text_and_a_new_claim() -> None:
    taker = await alive()
    new, _ = await lost_run("seen")
    assert await threads.read(resuming.resumable) == [new.run_id]
    claimed = await threads.write(resuming.claim, taker, new.run_id)
    assert claimed is not None
    assert claimed.new.stored == [StoredPart("text", "seen")]
    found = await row(new.run_id)
    assert (found.worker_id, found.claim, found.tries) == (taker, claimed.new.claim, 1)
    assert found.claim != new.claim
    assert await stored_text(new.run_id) == "seen"
    assert await threads.read(resuming.resumable) == []


async def test_reasoning_stays_a_part_of_its_own() -> None:
    taker = await alive()
    new, _ = await lost_run("thought")
    more = [(new.run_id, Piece(2, "reasoning", 0, "why")), (new.run_id, Piece(3, "text", 0, "so"))]
    await threads.write(insert, more)
    claimed = await threads.write(resuming.claim, taker, new.run_id)
    assert claimed is not None
    assert claimed.new.stored == [("text", "thought"), ("reasoning", "why"), ("text", "so")]


async def test_a_lost_run_is_claimed_once() -> None:
    first, second = await alive(), await alive()
    new, _ = await lost_run()
    claims = [threads.write(resuming.claim, taker, new.run_id) for taker in (first, second)]
    claimed = await asyncio.gather(*claims)
    assert sorted(one is not None for one in claimed) == [False, True]
    assert (await row(new.run_id)).tries == 1


async def test_the_runs_of_the_living_are_not_claimed() -> None:
    owner, taker = await alive(), await alive()
    new = await threads.write(new_run, owner)
    _taps[new.run_id] = Tap()
    assert await threads.write(resuming.claim, taker, new.run_id) is None
    assert (await row(new.run_id)).worker_id == owner


async def test_a_fenced_worker_claims_nothing() -> None:
    taker = await alive()
    await threads.write(takeover.declare_dead, Seen(taker, 0))
    new, _ = await lost_run()
    with pytest.raises(Fenced):
        await threads.write(resuming.claim, taker, new.run_id)
    assert (await row(new.run_id)).claim == new.claim


@pytest.mark.parametrize("ended", [{"stop_requested_at": timezone.now()}, {"discarded": True}])
async def test_a_run_that_a_person_ended_is_not_claimed(ended: dict[str, object]) -> None:
    taker = await alive()
    new, _ = await lost_run(**ended)
    assert await threads.read(resuming.resumable) == []
    assert await threads.write(resuming.claim, taker, new.run_id) is None
    assert (await threads.write(takeover.settle_orphans, [])).keys() == {new.run_id}
    assert (await reply(new.run_id)).status == "stopped"


async def test_a_run_whose_tries_are_used_up_is_settled(set_streaming: SetStreaming) -> None:
    set_streaming(RESUME_TRIES=2)
    tried, _ = await lost_run(tries=2)
    again, _ = await lost_run(tries=1)
    moved, _ = await lost_run(tries=2, released=True)
    assert set(await threads.read(resuming.resumable)) == {again.run_id, moved.run_id}
    assert (await threads.write(takeover.settle_orphans, [])).keys() == {tried.run_id}
    assert (await reply(tried.run_id)).reason == "worker_lost"


async def test_a_run_that_its_worker_gave_away_keeps_its_tries() -> None:
    owner, taker = await alive(), await alive()
    new = await threads.write(new_run, owner)
    await threads.write(lambda: Run.objects.filter(id=new.run_id).update(released=True))
    _taps[new.run_id] = Tap()
    assert await threads.write(resuming.claim, taker, new.run_id) is not None
    found = await row(new.run_id)
    assert (found.worker_id, found.tries, found.released) == (taker, 0, False)


async def test_a_run_beyond_its_deadline_cannot_go_on(set_streaming: SetStreaming) -> None:
    set_streaming(DEADLINE_SECONDS=60)
    taker = await alive()
    new, _ = await lost_run(started_at=timezone.now() - timedelta(seconds=61))
    with pytest.raises(Unresumable):
        await threads.write(resuming.claim, taker, new.run_id)
    assert (await row(new.run_id)).claim == new.claim


async def test_reconciliation_leaves_what_was_just_claimed_and_what_was_given_away() -> None:
    taker = await alive()
    old = timezone.now() - timedelta(seconds=60)
    claimed, _ = await lost_run(started_at=old)
    await threads.write(resuming.claim, taker, claimed.run_id)
    given, _ = await lost_run(started_at=old, worker_id=taker, released=True)
    assert await threads.write(takeover.settle_unheld, taker, {}) == {}
    long_ago = Run.objects.filter(id=claimed.run_id)
    await threads.write(lambda: long_ago.update(claimed_at=old))
    assert (await threads.write(takeover.settle_unheld, taker, {})).keys() == {claimed.run_id}
    assert await run_exists(given.run_id)


# The taker


async def test_the_text_of_both_workers_joins_into_one(make_worker: MakeWorker) -> None:
    new, tap = await lost_run("seen ")
    worker = await make_worker()
    async with reading(worker, new.run_id) as reader:
        tap.say("and ", "more")
        tap.finish()
        ended = await reader.end()
        assert reader.text == "seen and more"
        for before, after in zip(reader.deltas, reader.deltas[1:], strict=False):
            assert after.at == before.cursor
    assert (ended.status, ended.reason) == ("completed", "stop")
    assert (await reply(new.run_id)).content == "seen and more"
    assert await fragment_count(new.run_id) == 0


async def test_what_earlier_runs_spent_is_added_and_the_first_token_is_not_measured_again(
    make_worker: MakeWorker,
) -> None:
    new, tap = await lost_run("seen", started_at=timezone.now() - timedelta(seconds=30))
    _spent[new.run_id] = Spent(usage=Usage(5, 7), duration_ms=1000)
    await make_worker()
    tap.say("more")
    tap.give(SourceUsage(2, 3))
    tap.finish()
    await until(lambda: gone(new.run_id))
    message = await reply(new.run_id)
    assert (message.input_tokens, message.output_tokens) == (7, 10)
    assert message.first_token_ms is None
    assert message.duration_ms is not None and message.duration_ms >= 31_000


async def test_the_deadline_holds_over_all_workers(
    make_worker: MakeWorker, set_streaming: SetStreaming
) -> None:
    set_streaming(DEADLINE_SECONDS=61)
    new, tap = await lost_run(started_at=timezone.now() - timedelta(seconds=59))
    await make_worker()
    await until(lambda: tap.closed.is_set(), seconds=6)
    await until(lambda: gone(new.run_id))
    message = await reply(new.run_id)
    assert (message.status, message.reason) == ("failed", "deadline")


async def test_a_run_that_cannot_go_on_is_interrupted(make_worker: MakeWorker) -> None:
    new, _ = await lost_run("kept")
    _taps.clear()
    await make_worker()
    await until(lambda: gone(new.run_id))
    message = await reply(new.run_id)
    assert (message.status, message.reason) == ("interrupted", "worker_lost")
    assert message.content == "kept"


async def test_a_recorder_that_fails_costs_no_more_than_its_run(
    make_worker: MakeWorker, set_streaming: SetStreaming
) -> None:
    set_streaming(RECORDER=f"{__name__}.FailingRecorder")
    new, _ = await lost_run("kept")
    await make_worker()
    await until(lambda: gone(new.run_id))
    assert (await reply(new.run_id)).reason == "worker_lost"


async def test_a_run_that_cannot_be_claimed_keeps_no_other_and_is_given_up_at_last(
    make_worker: MakeWorker, set_streaming: SetStreaming
) -> None:
    set_streaming(RECORDER=f"{__name__}.StuckRecorder", LEASE_SECONDS=2)
    long_ago = timezone.now() - timedelta(seconds=100)
    stuck, _ = await lost_run("kept", started_at=long_ago)
    del _taps[stuck.run_id]
    ended, _ = await lost_run("ended", tries=100)
    fine, tap = await lost_run("seen")
    worker = await make_worker()
    await until(lambda: fine.run_id in worker.runs)
    tap.finish()
    await until(lambda: gone(ended.run_id))
    await until(lambda: gone(stuck.run_id))
    message = await reply(stuck.run_id)
    assert (message.reason, message.content) == ("worker_lost", "kept")


async def test_a_claim_whose_answer_was_lost_is_recognised_and_gone_on_with(
    make_worker: MakeWorker, set_streaming: SetStreaming
) -> None:
    set_streaming(RECORDER=f"{__name__}.DeafRecorder")
    new, tap = await lost_run("seen")
    DeafRecorder.deaf_for.add(new.run_id)
    worker = await make_worker()
    await until(lambda: new.run_id in worker.runs)
    assert (await row(new.run_id)).tries == 1
    tap.say(" and more")
    tap.finish()
    await until(lambda: gone(new.run_id))
    message = await reply(new.run_id)
    assert (message.status, message.content) == ("completed", "seen and more")


async def test_what_may_be_ours_is_not_settled_meanwhile(
    make_worker: MakeWorker, set_streaming: SetStreaming
) -> None:
    set_streaming(RECORDER=f"{__name__}.DeafRecorder", LEASE_SECONDS=600, RUNS_PER_WORKER=1)
    worker = await make_worker()
    new, tap = await lost_run("seen")
    DeafRecorder.deaf_for.add(new.run_id)
    await until(lambda: new.run_id in worker.orphans.unsure)
    busy = await begin(worker, Tap())  # now there is no room to go on with it
    long_ago = timezone.now() - timedelta(seconds=60)
    await threads.write(
        lambda: Run.objects.filter(id=new.run_id).update(claimed_at=long_ago, started_at=long_ago)
    )
    await Clocks(worker).reconcile()
    assert await run_exists(new.run_id)
    runner.stop(worker, busy.run_id)
    await until(lambda: new.run_id in worker.runs)
    assert new.run_id not in worker.orphans.unsure
    tap.finish()
    await until(lambda: gone(new.run_id))
    assert (await reply(new.run_id)).status == "completed"


async def unsure_claim(set_streaming: SetStreaming) -> tuple[UUID, NewRun, Any]:
    """A worker, a lost run, and its claim of it that was made and not answered."""
    set_streaming(RECORDER=f"{__name__}.DeafRecorder")
    taker = await alive()
    new, _ = await lost_run("seen")
    DeafRecorder.deaf_for.add(new.run_id)
    with pytest.raises(Unsure) as unsure:
        await threads.write(resuming.claim, taker, new.run_id)
    return taker, new, unsure.value.written


async def test_a_claim_that_was_not_made_after_all_is_made_anew(
    set_streaming: SetStreaming,
) -> None:
    taker, new, made = await unsure_claim(set_streaming)
    assert await threads.write(resuming.claim, taker, new.run_id, made) is made
    await threads.write(lambda: Run.objects.filter(id=new.run_id).update(worker_id=uuid4()))
    again = await threads.write(resuming.claim, taker, new.run_id, made)
    assert again is not None and again.new.claim != made.new.claim
    assert (await row(new.run_id)).claim == again.new.claim


async def test_a_claim_whose_worker_was_declared_dead_meanwhile_is_not_gone_on_with(
    set_streaming: SetStreaming,
) -> None:
    taker, new, unsure = await unsure_claim(set_streaming)
    assert await threads.write(takeover.declare_dead, Seen(taker, 0))
    with pytest.raises(Fenced):
        await threads.write(resuming.claim, taker, new.run_id, unsure)


async def test_no_run_is_given_up_for_failures_while_storage_takes_no_beats(
    make_worker: MakeWorker, set_streaming: SetStreaming
) -> None:
    set_streaming(RECORDER=f"{__name__}.StuckRecorder", LEASE_SECONDS=600)
    worker, watch = await make_worker(), Watch()
    orphans = Orphans(worker, watch)
    new, _ = await lost_run()
    del _taps[new.run_id]
    for _ in range(5):
        assert await orphans._continue() == []
    watch.note_beat()
    assert await orphans._continue() == []
    watch.note_beat()
    assert await orphans._continue() == [new.run_id]


async def test_a_run_whose_source_cannot_be_made_keeps_no_other(
    make_worker: MakeWorker, set_streaming: SetStreaming
) -> None:
    set_streaming(RECORDER=f"{__name__}.SourcelessRecorder", LEASE_SECONDS=600)
    worker = await make_worker()
    lost = [(await lost_run())[0].run_id for _ in range(2)]
    assert await Orphans(worker, Watch())._continue() == []
    assert [(await row(run_id)).worker_id for run_id in lost] == [worker.id] * 2


async def test_readers_see_that_a_run_recovers_while_nobody_owns_it_and_then_its_rest(
    make_worker: MakeWorker, set_streaming: SetStreaming
) -> None:
    set_streaming(HEARTBEAT_SECONDS=0.05, RUNS_PER_WORKER=1, LEASE_SECONDS=15)
    worker = await make_worker()
    busy = Tap()
    await begin(worker, busy)
    owner = await alive()
    new = await threads.write(lambda: new_run(owner, text="seen "))
    tap = _taps[new.run_id] = Tap()
    async with reading(worker, new.run_id) as reader:
        await reader.has("seen ")
        await until(lambda: reader.pings)
        assert {ping.state for ping in reader.pings} == {"streaming"}
        await threads.write(takeover.declare_dead, Seen(owner, 0))
        await until(lambda: any(ping.state == "recovering" for ping in reader.pings))
        assert new.run_id not in worker.runs
        busy.finish()  # now there is room
        await until(lambda: new.run_id in worker.runs)
        tap.say("more")
        await reader.has("seen more")
        pings = len(reader.pings)
        await until(lambda: len(reader.pings) > pings)
        assert reader.pings[-1].state == "streaming"
        assert worker.runs[new.run_id].readers, "a reader here reads what is produced here"
        tap.finish()
        assert (await reader.end()).status == "completed"


async def test_a_full_worker_leaves_a_run_to_others_for_a_moment_only(
    make_worker: MakeWorker, set_streaming: SetStreaming
) -> None:
    set_streaming(RUNS_PER_WORKER=1, LEASE_SECONDS=3)
    worker = await make_worker()
    await begin(worker, Tap())
    new, _ = await lost_run("kept")
    await until(lambda: gone(new.run_id))
    assert (await reply(new.run_id)).reason == "worker_lost"


async def test_a_full_worker_gives_up_no_run_while_others_are_still_taking_some(
    make_worker: MakeWorker, set_streaming: SetStreaming
) -> None:
    set_streaming(RUNS_PER_WORKER=1, LEASE_SECONDS=600)
    worker, taker = await make_worker(), await alive()
    busy = await begin(worker, Tap())
    orphans = Orphans(worker, Watch())
    first, second, third = [(await lost_run())[0].run_id for _ in range(3)]
    assert await orphans._continue() == []
    for taken in (first, second):
        await threads.write(resuming.claim, taker, taken)
        orphans._left_since = dict.fromkeys(orphans._left_since, -1000.0)
        assert await orphans._continue() == []
    orphans._left_since = dict.fromkeys(orphans._left_since, -1000.0)
    assert await orphans._continue() == [third]
    runner.stop(worker, busy.run_id)


async def test_a_stop_while_nobody_owns_the_run_wins(
    make_worker: MakeWorker, set_streaming: SetStreaming
) -> None:
    set_streaming(RUNS_PER_WORKER=1, LEASE_SECONDS=15)
    worker = await make_worker()
    await begin(worker, Tap())
    new, tap = await lost_run("kept")
    async with reading(worker, new.run_id) as reader:
        await reader.has("kept")
        stopped = Run.objects.filter(id=new.run_id)
        await threads.write(lambda: stopped.update(stop_requested_at=timezone.now()))
        ended = await reader.end()
    assert (ended.status, ended.reason) == ("stopped", "user")
    assert not tap.taken


async def test_a_fenced_worker_stops_spending_and_its_readers_go_on_with_the_run(
    make_worker: MakeWorker,
) -> None:
    fenced, _ = await make_worker(), await make_worker()
    old = Tap()
    run = await begin(fenced, old)
    fresh = _taps[run.run_id] = Tap()
    async with reading(fenced, run.run_id) as reader:
        old.say("seen by all")
        await reader.has("seen by all")
        await fence(fenced)
        old.say(", seen by nobody")
        await until(old.closed.is_set)
        fresh.say(", and its rest")
        fresh.finish()
        ended = await reader.end()
        assert reader.text == "seen by all, and its rest"
    assert (ended.status, ended.reason) == ("completed", "stop")
    assert (await reply(run.run_id)).content == "seen by all, and its rest"
    assert await fragment_count(run.run_id) == 0


# Drain


async def test_a_drain_gives_what_is_left_to_another_worker(make_worker: MakeWorker) -> None:
    leaving, staying = await make_worker(), await make_worker()
    old = Tap()
    run = await begin(leaving, old)
    fresh = _taps[run.run_id] = Tap()
    async with reading(staying, run.run_id) as reader:
        old.give(Reasoning("why"))
        old.say("so")
        await reader.has("whyso")
        leaving.begin_drain(seconds=0)
        await leaving.drained()
        assert old.closed.is_set()
        fresh.say(" on")
        fresh.finish()
        ended = await reader.end()
        assert reader.text == "whyso on"
    assert (ended.status, ended.reason) == ("completed", "stop")
    assert (await reply(run.run_id)).content == "so on"


async def test_what_cannot_go_on_is_settled_by_the_worker_that_drains(
    make_worker: MakeWorker,
) -> None:
    leaving, _ = await make_worker(), await make_worker()
    old = Tap()
    run = await begin(leaving, old)
    async with reading(leaving, run.run_id) as reader:
        old.say("kept")
        await reader.has("kept")
        leaving.begin_drain(seconds=0)
        await leaving.drained()
        message = await reply(run.run_id)
        assert (message.status, message.reason) == ("interrupted", "shutdown")
        assert message.content == "kept"
        assert (await reader.end()).reason == "shutdown"


async def test_what_nobody_takes_is_settled_by_the_worker_that_drains(
    make_worker: MakeWorker, tmp_path: Path
) -> None:
    leaving = await make_worker()
    interrupting = LockFile(str(tmp_path / "workers"), await alive())
    run = await begin(leaving, tap := Tap())
    _taps[run.run_id] = Tap()
    async with reading(leaving, run.run_id) as reader:
        tap.say("kept")
        await reader.has("kept")
        leaving.begin_drain(seconds=0)
        await until(lambda: threads.read(takeover.offered, leaving.id))
        assert await threads.write(takeover.settle_orphans) == {}, "as a worker that interrupts"
        assert await threads.write(takeover.settle_orphans, [run.run_id]) == {}, "as a full one"
        await leaving.drained()
        message = await reply(run.run_id)
        assert (message.status, message.reason) == ("interrupted", "shutdown")
        assert message.content == "kept"
    interrupting.release()


async def test_what_was_given_away_by_a_worker_that_is_gone_is_settled_by_anybody() -> None:
    new, _ = await lost_run("kept", released=True)
    assert (await threads.write(takeover.settle_orphans)).keys() == {new.run_id}
    assert (await reply(new.run_id)).reason == "shutdown"


async def test_a_worker_is_known_to_live_once_its_beat_was_seen_or_its_lock_is_held(
    make_worker: MakeWorker, set_streaming: SetStreaming, tmp_path: Path
) -> None:
    set_streaming(LEASE_SECONDS=600)
    us, other = await make_worker(), await alive()
    watch = Watch()
    assert not watch.lives(Seen(other, 0))
    lock = LockFile(str(tmp_path / "workers"), other)
    assert watch.lives(Seen(other, 0))
    lock.release()
    watch.note_beat()
    await watch.look(us.id)
    assert watch.lives(Seen(other, 0))
    assert watch.lives(Seen(other, 1)), "it moved"


@pytest.mark.parametrize("other", ["nobody", "draining", "silent"])
async def test_a_drain_without_a_taker_settles(make_worker: MakeWorker, other: str) -> None:
    leaving = await make_worker()
    if other != "nobody":
        row = {**connected(uuid4()), "draining": other == "draining"}
        await threads.write(lambda: Worker.objects.create(**row))
    if other == "silent":
        leaving._watch._counts = {Seen(row["id"], 0): 100}
    run = await begin(leaving, tap := Tap())
    _taps[run.run_id] = Tap()
    tap.say("kept")
    await until(lambda: run.transcript.stored())
    leaving.begin_drain(seconds=0)
    await leaving.drained()
    message = await reply(run.run_id)
    assert (message.status, message.reason, message.content) == ("interrupted", "shutdown", "kept")
