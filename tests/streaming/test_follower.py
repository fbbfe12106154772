"""Runs of other workers: two workers of this process, one database."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any, ClassVar
from uuid import UUID, uuid4

from django.db import connection, connections
from django.db.models import Q
from django.utils import timezone

from conversations import ending
from conversations.models import Message
from conversations.recorder import MessageRecorder
from conversations.shapes import message_shapes
from streaming import metrics, runner, takeover, threads
from streaming.cursor import Cursor
from streaming.follower import FollowedRun, Follower
from streaming.models import Run
from streaming.outcome import completed
from streaming.recorder import Recorded
from streaming.settlement import End, settle_transaction
from streaming.source import Reasoning, Text
from streaming.statements import follow, insert
from streaming.subscription import subscribe
from streaming.transcript import Piece
from streaming.workers import LocalWorker
from tests.conftest import MakeWorker, SetStreaming
from tests.streaming.production import Tap, begin, new_run, reading, reply, settled, worker_row
from tests.waiting import until


async def test_a_reader_elsewhere_gets_the_same_text_and_end(make_worker: MakeWorker) -> None:
    owner, other = await make_worker(), await make_worker()
    tap = Tap()
    run = await begin(owner, tap)
    async with reading(owner, run.run_id) as here, reading(other, run.run_id) as there:
        tap.give(Reasoning("hm"))
        tap.give(Text("Hold"))
        await there.has("hmHold")
        tap.say("fast")
        tap.finish()
        ended = await there.end()
        assert await here.end() == ended
    assert there.text == here.text == "hmHoldfast"
    assert there.started is not None and there.started.about == run.about
    assert ended.cursor == Cursor(2, 8)


async def test_a_reader_elsewhere_starts_at_its_cursor(make_worker: MakeWorker) -> None:
    owner, other = await make_worker(), await make_worker()
    tap = Tap()
    run = await begin(owner, tap)
    async with reading(owner, run.run_id) as here:
        tap.say("Holdfast")
        await here.has("Holdfast")
        async with reading(other, run.run_id, Cursor(1, 4)) as there:
            await there.has("fast")
    runner.stop(owner, run.run_id)


async def test_readers_that_come_at_the_same_moment_share_one_feed(
    make_worker: MakeWorker,
) -> None:
    """Of two feeds under one id only one would be polled."""
    owner, other = await make_worker(), await make_worker()
    tap = Tap()
    run = await begin(owner, tap)
    readers = await asyncio.gather(*(subscribe(other, run.run_id) for _ in range(5)))
    assert len(other.follower) == 1
    assert len({id(reader._feed) for reader in readers}) == 1
    for reader in readers:
        reader.close()
    async with reading(other, run.run_id) as one, reading(other, run.run_id) as two:
        tap.say("for all")
        await one.has("for all")
        await two.has("for all")
        tap.finish()
        assert await one.end() == await two.end()


async def test_a_run_that_begins_here_while_it_is_looked_for_elsewhere_is_not_followed(
    worker: LocalWorker,
) -> None:
    new = await threads.write(new_run, worker.id)
    finding = asyncio.create_task(worker.feed(new.run_id))
    await asyncio.sleep(0)  # by now it knows that the run is not here
    run = runner.start(worker, new, Tap().stream())
    assert await finding is run
    assert len(worker.follower) == 0
    runner.stop(worker, run.run_id)


async def test_news_of_a_run_that_nobody_reads_here_is_not_kept() -> None:
    follower = Follower()
    follower.wake([uuid4()])
    assert not follower._named and not follower._woken.is_set()
    follower.wake()
    assert follower._woken.is_set()


async def test_the_poller_ends_when_nobody_reads(make_worker: MakeWorker) -> None:
    owner, other = await make_worker(), await make_worker()
    run = await begin(owner, Tap())
    async with reading(other, run.run_id) as reader:
        await until(lambda: reader.started)
    await until(lambda: len(other.follower) == 0, seconds=20)  # it keeps a run for five, unread
    runner.stop(owner, run.run_id)


async def test_a_settled_reply_is_read_on_any_worker(make_worker: MakeWorker) -> None:
    owner, other = await make_worker(), await make_worker()
    tap = Tap()
    run = await begin(owner, tap)
    tap.say("done")
    tap.finish()
    await settled(run)
    async with reading(other, run.run_id) as reader:
        assert (await reader.end()).text_length == 4
    assert len(other.follower) == 0


async def test_stop_on_another_worker_ends_the_run_at_its_owner(make_worker: MakeWorker) -> None:
    owner, other = await make_worker(), await make_worker()
    tap = Tap()
    run = await begin(owner, tap)
    async with reading(other, run.run_id) as reader:
        tap.say("kept")
        await reader.has("kept")
        assert runner.stop(other, run.run_id) is False
        rows = Run.objects.filter(id=run.run_id)
        await threads.write(lambda: rows.update(stop_requested_at=timezone.now()))
        ended = await reader.end()
    assert (ended.status, ended.reason) == ("stopped", "user")
    assert tap.closed.is_set()
    assert (await reply(run.run_id)).content == "kept"


async def test_deletion_on_another_worker_ends_the_run_for_every_reader(
    make_worker: MakeWorker,
) -> None:
    owner, other = await make_worker(), await make_worker()
    tap = Tap()
    run = await begin(owner, tap)
    which = Q(id=run.about["conversation_id"])
    async with reading(owner, run.run_id) as here, reading(other, run.run_id) as there:
        tap.say("going")
        await here.has("going")
        await there.has("going")
        await threads.write(ending.discard, which)
        for reader in (here, there):
            ended = await reader.end()
            assert (ended.status, ended.reason) == ("stopped", "deleted")


async def test_a_reader_elsewhere_keeps_a_run_alive_under_stop(
    make_worker: MakeWorker, set_streaming: SetStreaming
) -> None:
    set_streaming(DISCONNECT_GRACE_SECONDS=60)
    owner, other = await make_worker(), await make_worker()
    tap = Tap()
    run = await begin(owner, tap, on_disconnect="stop")
    async with reading(other, run.run_id) as there:
        await until(lambda: there.started)
        set_streaming(DISCONNECT_GRACE_SECONDS=0)
        async with reading(owner, run.run_id):
            pass
        later = asyncio.get_running_loop().time() + 1
        await until(lambda: asyncio.get_running_loop().time() > later)
        tap.say("still here")
        await there.has("still here")
        assert run.outcome is None
    message = await settled(run)
    assert (message.status, message.reason) == ("interrupted", "client_disconnected")


async def test_readers_elsewhere_follow_a_run_whose_worker_died(
    make_worker: MakeWorker, set_streaming: SetStreaming
) -> None:
    set_streaming(LEASE_SECONDS=0.9)
    dead = uuid4()
    await threads.write(takeover.register, dead)
    new = await threads.write(lambda: new_run(dead, text="what was seen"))
    other = await make_worker()
    async with reading(other, new.run_id) as reader:
        await reader.has("what was seen")
        ended = await reader.end()
    assert (ended.status, ended.reason) == ("interrupted", "worker_lost")
    await until(lambda: _gone(dead))


async def _gone(worker_id: object) -> bool:
    return await worker_row(worker_id) is None  # type: ignore[arg-type]


async def test_a_reopened_run_is_not_taken_for_a_deleted_one(make_worker: MakeWorker) -> None:
    """Settled and continued between two reads: the first finds no row, the second no end."""
    owner, other = await make_worker(), await make_worker()
    new = await threads.write(lambda: new_run(owner.id, text="first, "))
    feed = await other.follower.follow(new.run_id)
    assert isinstance(feed, FollowedRun)
    feed.attach(reader := _Reader())
    await other.follower._finish(feed)  # as if the poll had found no row
    assert feed.lost and feed.ended is None
    assert reader.woken
    await threads.write(_settle_as_completed, owner.id, new)


class BlinkingRecorder(MessageRecorder):
    """One that misses a reply the first time: it was being continued at that moment."""

    missed: ClassVar[set[UUID]] = set()

    def load(self, run_id: UUID) -> Recorded | None:
        if run_id in self.missed:
            self.missed.remove(run_id)
            return None
        return super().load(run_id)


async def test_a_run_that_was_reopened_and_settled_meanwhile_is_not_taken_for_a_deleted_one(
    make_worker: MakeWorker, set_streaming: SetStreaming
) -> None:
    set_streaming(RECORDER=f"{__name__}.BlinkingRecorder")
    owner, other = await make_worker(), await make_worker()
    new = await threads.write(lambda: new_run(owner.id, text="first"))
    feed = await other.follower.follow(new.run_id)
    assert isinstance(feed, FollowedRun)
    await threads.write(_settle_as_completed, owner.id, new)
    BlinkingRecorder.missed.add(new.run_id)
    await other.follower._finish(feed)
    assert feed.ended is not None and feed.ended.status == "completed"
    BlinkingRecorder.missed.add(new.run_id)
    found = await other.follower.follow(new.run_id)
    assert found is not None and found.ended is not None and found.ended.status == "completed"


class _Reader:
    woken = False

    def wake(self) -> None:
        self.woken = True


def _settle_as_completed(worker_id: object, new: runner.NewRun) -> None:
    settle_transaction([End(worker_id, new.run_id, new.claim, completed("stop"))])  # type: ignore[arg-type]


async def test_a_gap_makes_the_readers_open_the_run_anew() -> None:
    run = FollowedRun(uuid4(), {}, owner=uuid4(), on_disconnect="continue")
    run.take([Piece(1, "text", 0, "abc")])
    run.take([Piece(1, "text", 2, "cde")])
    assert not run.lost
    run.take([Piece(1, "text", 9, "z")])
    assert run.lost
    assert [part.text for part in run.transcript.stored()] == ["abcde"]


async def test_one_statement_asks_for_all_followed_runs(worker: object) -> None:
    def ask() -> None:
        worker_id, gone = uuid4(), uuid4()
        takeover.register(worker_id)
        one, two = new_run(worker_id, text="abcdef"), new_run(worker_id)
        statements: list[str] = []

        def count(execute: Any, sql: str, *rest: Any) -> Any:
            statements.append(sql)
            return execute(sql, *rest)

        at = Cursor(1, 2)
        with connection.execute_wrapper(count):
            found = follow({one.run_id: at, two.run_id: Cursor(0, 0), gone: at})
        assert len(statements) == 1
        # The whole fragment: the reader's side cuts what it has.
        assert found[one.run_id].live and found[one.run_id].pieces == [
            Piece(1, "text", 0, "abcdef")
        ]
        assert found[two.run_id].live and found[two.run_id].pieces == []
        assert not found[gone].live

    await threads.read(ask)


async def test_a_look_reads_what_is_new_and_not_all_that_is_there(worker: object) -> None:
    """The whole key is the condition on the index; else each look reads all text of all runs."""

    def plan() -> str:
        worker_id = uuid4()
        takeover.register(worker_id)
        runs = [new_run(worker_id).run_id for _ in range(20)]
        insert((run, Piece(1, "text", n, "x")) for n in range(100) for run in runs)
        asked: list[tuple[str, Any]] = []

        def note(execute: Any, sql: str, params: Any, *rest: Any) -> Any:
            asked.append((sql, params))
            return execute(sql, params, *rest)

        with connection.execute_wrapper(note):
            follow({run: Cursor(1, 99) for run in runs})
        [(sql, params)] = asked
        explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"
        with connection.cursor() as cursor:
            cursor.execute(f"{explain} {sql}", params)
            return "\n".join(str(row) for row in cursor.fetchall())

    found = await threads.read(plan)
    whole_key = "(part,end)>(?,?)" if connection.vendor == "sqlite" else 'ROW(part, "end") > ROW('
    assert whole_key in found, found
    assert "Seq Scan on holdfast_streaming_fragment" not in found


async def test_a_page_load_in_mid_settlement_shows_the_settled_reply(worker: object) -> None:
    """Fragments first, the reply after: whatever is settled in between is shown whole."""

    def load() -> None:
        worker_id = uuid4()
        takeover.register(worker_id)
        new = new_run(worker_id, text="all of it")
        reads = 0

        def settle_at_a_moment(execute: Any, sql: str, *rest: Any) -> Any:
            nonlocal reads
            result = execute(sql, *rest)
            if sql.startswith("SELECT"):
                reads += 1
                if reads == moment:
                    settling.append(True)
                    _elsewhere(_settle_as_completed, worker_id, new)
            return result

        for moment in (1, 2):
            settling: list[bool] = []
            if moment == 2:
                new = new_run(worker_id, text="all of it")
            reads = 0
            conversation = Message.objects.get(id=new.run_id).conversation_id
            with connection.execute_wrapper(settle_at_a_moment):
                shapes = message_shapes(conversation)
            assert settling
            [shape] = [shape for shape in shapes if shape["role"] == "assistant"]
            assert (shape["content"], shape["cursor"]) == ("all of it", "1-9")

    await threads.read(load)


def _elsewhere(function: Callable[..., None], *args: object) -> None:
    """Call in a thread, and so on a connection, of its own."""

    def call() -> None:
        try:
            function(*args)
        finally:
            connections.close_all()

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()


async def test_readers_that_come_back_at_once_share_a_look(
    make_worker: MakeWorker, set_streaming: SetStreaming
) -> None:
    set_streaming(POLL_INTERVAL_MS=30_000)
    owner, other = await make_worker(), await make_worker()
    tap = Tap()
    run = await begin(owner, tap)
    async with reading(other, run.run_id), reading(owner, run.run_id) as here:
        tap.say("seen")
        await here.has("seen")
        before = _looks()
        readers = await asyncio.gather(
            *(subscribe(other, run.run_id, Cursor(1, 4)) for _ in range(100))
        )
        assert _looks() - before <= 3
    for reader in readers:
        reader.close()
    runner.stop(owner, run.run_id)


def _looks() -> float:
    [family] = metrics.follow_polls.collect()
    return sum(one.value for one in family.samples if one.name.endswith("_total"))


class CountingRecorder(MessageRecorder):
    """One that counts how often a reply is read."""

    loads: ClassVar[list[UUID]] = []

    def load(self, run_id: UUID) -> Recorded | None:
        self.loads.append(run_id)
        return super().load(run_id)


class UnableRecorder(MessageRecorder):
    """One that cannot load some replies."""

    unloadable: ClassVar[set[UUID]] = set()

    def load(self, run_id: UUID) -> Recorded | None:
        if run_id in self.unloadable:
            raise KeyError("planted for the test")
        return super().load(run_id)


async def test_a_reply_that_cannot_be_loaded_keeps_nobody_from_the_others(
    make_worker: MakeWorker, set_streaming: SetStreaming
) -> None:
    set_streaming(RECORDER=f"{__name__}.UnableRecorder")
    owner, elsewhere = await make_worker(), await make_worker()
    bad_tap, good_tap = Tap(), Tap()
    bad, good = await begin(owner, bad_tap), await begin(owner, good_tap)
    async with reading(elsewhere, bad.run_id), reading(elsewhere, good.run_id) as reader:
        UnableRecorder.unloadable.add(bad.run_id)
        bad_tap.finish()
        await settled(bad)
        good_tap.say("still here")
        await reader.has("still here")
        UnableRecorder.unloadable.clear()
    good_tap.finish()
    await settled(good)


async def test_readers_of_a_settled_reply_who_come_at_once_share_what_is_read(
    make_worker: MakeWorker, set_streaming: SetStreaming
) -> None:
    set_streaming(RECORDER=f"{__name__}.CountingRecorder")
    worker, tap = await make_worker(), Tap()
    run = await begin(worker, tap)
    tap.say("all of it")
    tap.finish()
    await settled(run)
    CountingRecorder.loads.clear()
    readers = await asyncio.gather(*(subscribe(worker, run.run_id) for _ in range(100)))
    assert CountingRecorder.loads.count(run.run_id) <= 2
    for reader in readers:
        assert reader.ended is not None and reader.ended.status == "completed"
        reader.close()
