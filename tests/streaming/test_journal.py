"""The writer of the journal and its statements, on the database of this process."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from streaming import metrics, statements, takeover, threads
from streaming.models import Fragment
from streaming.source import SourceFailed
from streaming.statements import Fenced, Row
from streaming.takeover import Seen
from streaming.transcript import Piece, Transcript
from streaming.workers import LocalWorker
from tests.conftest import MakeWorker, SetStreaming
from tests.streaming.behind import (
    FRAGMENT,
    WORKER,
    behind,
    refusing,
    refusing_fragments,
    refusing_writes,
)
from tests.streaming.production import (
    Tap,
    begin,
    fragment_count,
    reading,
    reply,
    run_exists,
    settled,
    stored_text,
    worker_row,
)
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("database_threads")

RUN = uuid4()


def row(end: int, text: str) -> Row:
    return RUN, Piece(1, "text", end - len(text), text)


def fragments() -> list[tuple[int, str]]:
    return list(Fragment.objects.order_by("run_id", "part", "end").values_list("end", "text"))


# The statement


async def test_append_stores_every_row() -> None:
    worker_id = uuid4()
    await threads.write(takeover.register, worker_id)
    await threads.write_journal(statements.append, worker_id, [row(3, "abc"), row(5, "d😀")])
    assert await threads.read(fragments) == [(3, "abc"), (5, "d😀")]


async def test_repeating_an_append_is_harmless() -> None:
    worker_id = uuid4()
    await threads.write(takeover.register, worker_id)
    for _ in range(2):
        await threads.write_journal(statements.append, worker_id, [row(3, "abc"), row(5, "de")])
    assert await threads.read(fragments) == [(3, "abc"), (5, "de")]


async def test_a_worker_that_was_declared_dead_cannot_append() -> None:
    worker_id = uuid4()
    await threads.write(takeover.register, worker_id)
    assert await threads.write(takeover.declare_dead, Seen(worker_id, 0))
    with pytest.raises(Fenced):
        await threads.write_journal(statements.append, worker_id, [row(3, "abc")])
    assert await threads.read(fragments) == []


async def test_a_worker_without_a_row_cannot_append() -> None:
    with pytest.raises(Fenced):
        await threads.write_journal(statements.append, uuid4(), [row(3, "abc")])
    assert await threads.read(fragments) == []


async def test_an_append_that_meets_an_open_takeover_waits_and_is_fenced() -> None:
    worker_id = uuid4()
    await threads.write(takeover.register, worker_id)
    with behind() as taker:
        taker.begin()
        taker.execute(f"UPDATE {WORKER} SET alive = false WHERE id = %s", worker_id)
        append = asyncio.ensure_future(
            threads.write_journal(statements.append, worker_id, [row(3, "abc")])
        )
        with behind() as watcher:
            await until(lambda: append.done() or watcher.waiting())
        assert not append.done()
        taker.commit()
        with pytest.raises(Fenced):
            await append
    assert await threads.read(fragments) == []


async def test_a_takeover_waits_for_the_append_that_is_in_flight() -> None:
    """Else its text would come in behind the settlement."""
    worker_id = uuid4()
    await threads.write(takeover.register, worker_id)
    with behind() as other, behind() as watcher:
        if other.sqlite:
            return  # one writer at a time: there is no such moment
        # An insert of the same key makes the append wait in the middle of its statement.
        other.begin()
        other.execute(
            f'INSERT INTO {FRAGMENT} (run_id, part, kind, "end", text) VALUES (%s, 1, %s, 3, %s)',
            RUN,
            "text",
            "abc",
        )
        append = asyncio.ensure_future(
            threads.write_journal(statements.append, worker_id, [row(3, "abc")])
        )
        await until(watcher.waiting)
        dead = asyncio.ensure_future(threads.write(takeover.declare_dead, Seen(worker_id, 0)))
        await until(
            lambda: (
                dead.done()
                or len(
                    watcher.execute("SELECT 1 FROM pg_stat_activity WHERE wait_event_type='Lock'")
                )
                == 2
            )
        )
        assert not dead.done()
        other.rollback()
        await append
        assert await dead
    assert await threads.read(fragments) == [(3, "abc")]


# The writer


async def test_text_that_comes_while_a_commit_is_in_flight_is_one_fragment(
    worker: LocalWorker,
) -> None:
    tap = Tap()
    run = await begin(worker, tap)
    with refusing_writes():
        tap.say("first")
        await until(lambda: not run.transcript.pending_characters and tap.taken == 1)
        tap.say(" one", " two", " three")
        await until(lambda: tap.taken == 4)
    await until(lambda: str(run.transcript.end) == "1-19")
    assert await threads.read(fragments) == [(5, "first"), (19, " one two three")]


def commits() -> float:
    return metrics.registry.get_sample_value("holdfast_journal_commits_total") or 0.0


async def test_one_commit_takes_the_text_of_all_runs(worker: LocalWorker) -> None:
    taps = [Tap() for _ in range(10)]
    runs = [await begin(worker, tap) for tap in taps]
    with refusing_writes():
        taps[0].say("x")
        await until(lambda: taps[0].taken == 1 and not runs[0].transcript.pending_characters)
        before = commits()
        for tap in taps:
            tap.say("y")
        await until(lambda: all(tap.taken for tap in taps))
    await until(lambda: all(run.transcript.end.part for run in runs))
    await until(lambda: str(runs[0].transcript.end) == "1-2")
    assert commits() - before <= 2


@pytest.mark.usefixtures("impatient_database")
async def test_a_batch_whose_commit_is_unknown_is_repeated_byte_for_byte(
    worker: LocalWorker,
) -> None:
    tap = Tap()
    run = await begin(worker, tap)
    async with reading(worker, run.run_id) as reader:
        with refusing_writes() as other:
            tap.say("frozen")
            await until(lambda: worker.journal.failing_since)
            tap.say(" and what came later")
            await until(lambda: tap.taken == 2)
            # It was committed after all; only the answer was lost.
            other.execute(
                f'INSERT INTO {FRAGMENT} (run_id, part, kind, "end", text)'
                " VALUES (%s, 1, %s, 6, %s)",
                run.run_id,
                "text",
                "frozen",
            )
        await reader.has("frozen and what came later")
    assert await threads.read(fragments) == [(6, "frozen"), (26, " and what came later")]


@pytest.mark.usefixtures("impatient_database")
async def test_nothing_is_lost_while_the_database_refuses_commits(
    worker: LocalWorker, set_streaming: SetStreaming
) -> None:
    set_streaming(HEARTBEAT_SECONDS=0.1)
    tap = Tap()
    run = await begin(worker, tap)
    async with reading(worker, run.run_id) as reader:
        tap.say("before")
        await reader.has("before")
        with refusing_writes():
            tap.say(", meanwhile")
            await until(lambda: any(ping.state == "recovering" for ping in reader.pings))
            assert reader.text == "before"
            tap.say(", too")
        await reader.has("before, meanwhile, too")
        assert worker.journal.failing_since is None
        tap.finish()
        assert (await reader.end()).status == "completed"
    assert (await settled(run)).content == "before, meanwhile, too"


@pytest.mark.usefixtures("impatient_database")
async def test_a_worker_that_was_declared_dead_while_storage_was_away_is_ready_again(
    worker: LocalWorker,
) -> None:
    """Else it would say that storage is away until it writes, which nobody asks it to."""
    tap = Tap()
    await begin(worker, tap)
    first_id = worker.id
    with refusing_fragments():
        tap.say("never written")
        await until(lambda: worker.journal.failing_since)
        with behind() as other:
            other.execute(f"UPDATE {WORKER} SET alive = %s WHERE id = %s", False, first_id)
    await until(lambda: worker.id != first_id and worker.registered.is_set())
    await until(lambda: worker.journal.failing_since is None)


@pytest.mark.usefixtures("impatient_database")
async def test_a_run_that_outlives_its_storage_fails_once_storage_is_back(
    worker: LocalWorker, set_streaming: SetStreaming
) -> None:
    set_streaming(STORAGE_WAIT_SECONDS=0.2)
    tap = Tap()
    run = await begin(worker, tap)
    with refusing_writes():
        tap.say("kept in memory")
        await until(lambda: run.outcome is not None)
        assert await run_exists(run.run_id)
    reply = await settled(run)
    assert (reply.status, reply.reason) == ("failed", "storage_unavailable")
    assert reply.content == "kept in memory"


@pytest.mark.usefixtures("impatient_database")
async def test_an_upstream_that_hangs_up_while_storage_is_away_is_storages_fault(
    worker: LocalWorker,
) -> None:
    tap = Tap()
    run = await begin(worker, tap)
    with refusing_writes():
        tap.say("half")
        await until(lambda: worker.journal.failing_since)
        tap.give(SourceFailed("upstream_reset"))
        await until(tap.closed.is_set)
    reply = await settled(run)
    assert (reply.status, reply.reason, reply.content) == ("failed", "storage_unavailable", "half")


async def test_text_that_the_database_refuses_fails_only_its_own_run(worker: LocalWorker) -> None:
    good_tap, bad_tap = Tap(), Tap()
    good, bad = await begin(worker, good_tap), await begin(worker, bad_tap)
    with refusing(FRAGMENT, "run_id", bad.run_id):
        bad_tap.say("refused")
        good_tap.say("taken")
        good_tap.finish()
        assert (await settled(good)).content == "taken"
        reply = await settled(bad)
    assert (reply.status, reply.reason, reply.content) == ("failed", "internal", "")
    assert bad_tap.closed.is_set()


async def test_a_reply_whose_last_text_the_database_refuses_is_not_completed(
    worker: LocalWorker,
) -> None:
    tap = Tap()
    run = await begin(worker, tap)
    with refusing(FRAGMENT, "run_id", run.run_id):
        with refusing_writes() as other:
            tap.say("refused")
            await until(other.waiting)
            tap.finish()
            await until(lambda: run.outcome is not None)
        reply = await settled(run)
    assert (reply.status, reply.reason, reply.content) == ("failed", "internal", "")


async def test_a_turn_that_fails_is_not_the_last(worker: LocalWorker) -> None:
    tap, bad_tap = Tap(), Tap()
    run, bad = await begin(worker, tap), await begin(worker, bad_tap)
    bad.transcript = BrokenTranscript()
    bad.transcript.append("text", "x")
    worker.journal.note(bad)
    tap.say("taken")
    tap.finish()
    assert (await settled(run)).content == "taken"
    bad.transcript = Transcript()
    bad_tap.finish()
    await settled(bad)


class BrokenTranscript(Transcript):
    def freeze(self) -> list[Piece]:
        raise LookupError("planted for the test")


async def test_text_that_no_encoder_takes_fails_only_its_own_run(worker: LocalWorker) -> None:
    """It cannot come through `append`; if it did, the journal must go on."""
    good_tap, bad_tap = Tap(), Tap()
    good, bad = await begin(worker, good_tap), await begin(worker, bad_tap)
    bad.transcript.append("text", "x")
    bad.transcript._newest = ["\ud83d"]
    worker.journal.note(bad)
    good_tap.say("taken")
    good_tap.finish()
    assert (await settled(good)).content == "taken"
    assert (await settled(bad)).reason == "internal"


async def test_a_connection_that_was_cut_is_replaced(worker: LocalWorker) -> None:
    tap = Tap()
    run = await begin(worker, tap)
    async with reading(worker, run.run_id) as reader:
        tap.say("one")
        await reader.has("one")
        with behind() as other:
            if not other.sqlite:
                other.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE pid <> pg_backend_pid() AND query LIKE %s",
                    f"%{FRAGMENT}%",
                )
        tap.say(" two")
        await reader.has("one two")
        tap.finish()
        assert (await reader.end()).status == "completed"


@pytest.mark.usefixtures("impatient_database")
async def test_a_frozen_batch_is_never_written_under_a_new_name(
    make_worker: MakeWorker, set_streaming: SetStreaming
) -> None:
    """A worker that registers anew while its batch waits must not add to what it lost."""
    set_streaming(LEASE_SECONDS=1.2)
    worker = await make_worker()
    run = await begin(worker, tap := Tap())
    old = worker.id
    with refusing_fragments():
        tap.say("too late")
        await until(lambda: worker.journal.failing_since)
        with behind() as taker:
            taker.execute(f"UPDATE {WORKER} SET alive = false WHERE id = %s", old)
        await until(lambda: worker.id != old and worker.registered.is_set())
        # Long enough for another attempt, or for the one that finds the worker fenced.
        attempts = asyncio.get_running_loop().time() + 1
        await until(lambda: asyncio.get_running_loop().time() > attempts)
    await until(run.settled.done)
    await until(lambda: _over(run.run_id))
    assert (await reply(run.run_id)).content == ""
    assert await fragment_count(run.run_id) == 0
    row = await worker_row(worker.id)
    assert row is not None and row.alive


async def _over(run_id: Any) -> bool:
    return not await run_exists(run_id)


async def test_stored_text_is_whole_at_every_moment(worker: LocalWorker) -> None:
    tap = Tap()
    run = await begin(worker, tap)
    said = "".join(chr(ord("a") + n % 26) for n in range(300))
    for letter in said:
        tap.say(letter)
    while (stored := await stored_text(run.run_id)) != said:
        assert said.startswith(stored)
