"""Death of workers, and what becomes of their runs, on the database of this process."""

import asyncio
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError
from django.utils import timezone

from conversations.recorder import MessageRecorder
from streaming import takeover, threads
from streaming.conf import conf
from streaming.lockfile import LockFile
from streaming.models import Run, Worker
from streaming.runner import NewRun
from streaming.statements import Fenced
from streaming.takeover import Seen
from streaming.watch import Watch
from streaming.workers import LocalWorker
from tests.conftest import MakeWorker, SetStreaming
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
    worker_row,
)
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("database_threads")


async def silent_worker(text: str = "seen") -> tuple[UUID, NewRun]:
    """A worker that never beats, with a run."""
    worker_id = uuid4()
    await threads.write(takeover.register, worker_id)
    return worker_id, await threads.write(lambda: new_run(worker_id, text=text))


async def is_alive(worker_id: UUID) -> bool:
    row = await worker_row(worker_id)
    return row is not None and row.alive


async def gone(run_id: UUID) -> bool:
    return not await run_exists(run_id)


# The statements


async def test_a_beat_that_moved_saves_a_worker() -> None:
    worker_id, _ = await silent_worker()
    await threads.write(takeover.raise_beat, worker_id)
    assert not await threads.write(takeover.declare_dead, Seen(worker_id, 0))
    assert await is_alive(worker_id)


async def test_a_worker_is_declared_dead_once() -> None:
    worker_id, _ = await silent_worker()
    assert await threads.write(takeover.declare_dead, Seen(worker_id, 0))
    assert not await threads.write(takeover.declare_dead, Seen(worker_id, 0))
    with pytest.raises(Fenced):
        await threads.write(takeover.raise_beat, worker_id)


async def test_the_living_keep_their_runs() -> None:
    _, new = await silent_worker()
    assert await threads.write(takeover.settle_orphans) == {}
    assert await run_exists(new.run_id)


async def test_runs_of_the_dead_are_settled_with_their_text() -> None:
    worker_id, new = await silent_worker("all that any reader saw")
    await threads.write(takeover.declare_dead, Seen(worker_id, 0))
    assert (await threads.write(takeover.settle_orphans)).keys() == {new.run_id}
    message = await reply(new.run_id)
    assert (message.status, message.reason) == ("interrupted", "worker_lost")
    assert message.content == "all that any reader saw"
    assert await fragment_count(new.run_id) == 0


async def test_the_row_of_a_dead_worker_goes_with_its_last_run() -> None:
    worker_id, _ = await silent_worker()
    await threads.write(takeover.declare_dead, Seen(worker_id, 0))
    await threads.write(takeover.settle_orphans)
    await threads.write(takeover.settle_orphans)
    assert await worker_row(worker_id) is None


async def test_a_stop_that_was_recorded_before_the_death_counts() -> None:
    worker_id, new = await silent_worker()
    run = Run.objects.filter(id=new.run_id)
    await threads.write(lambda: run.update(stop_requested_at=timezone.now()))
    await threads.write(takeover.declare_dead, Seen(worker_id, 0))
    await threads.write(takeover.settle_orphans)
    message = await reply(new.run_id)
    assert (message.status, message.reason) == ("stopped", "user")


async def test_registering_again_after_an_unknown_commit_is_harmless() -> None:
    worker_id = uuid4()
    for _ in range(2):
        await threads.write(takeover.register, worker_id)
    assert await is_alive(worker_id)


async def test_only_old_rows_that_nobody_holds_are_settled() -> None:
    worker_id, unheld = await silent_worker()
    held = await threads.write(lambda: new_run(worker_id))
    young = await threads.write(lambda: new_run(worker_id))
    old = Run.objects.filter(id__in=[unheld.run_id, held.run_id])
    then = timezone.now() - timedelta(seconds=6)
    await threads.write(lambda: old.update(started_at=then))
    found = await threads.write(takeover.settle_unheld, worker_id, {held.run_id})
    assert found.keys() == {unheld.run_id}
    assert (await reply(unheld.run_id)).reason == "worker_lost"
    assert await run_exists(held.run_id) and await run_exists(young.run_id)


async def test_a_run_that_was_registered_while_reconciliation_waited_is_held() -> None:
    worker_id, new = await silent_worker()
    then = timezone.now() - timedelta(seconds=6)
    await threads.write(lambda: Run.objects.update(started_at=then))
    held: dict[UUID, object] = {}
    with refusing_writes(), behind() as watcher:
        looking = asyncio.ensure_future(threads.write(takeover.settle_unheld, worker_id, held))
        await until(watcher.waiting)
        held[new.run_id] = object()
    assert await looking == {}
    assert await run_exists(new.run_id)


# The watch


async def test_a_silent_worker_is_dead_after_its_lease_and_its_runs_are_settled(
    make_worker: MakeWorker, set_streaming: SetStreaming
) -> None:
    set_streaming(LEASE_SECONDS=0.9)
    dead, new = await silent_worker()
    began = time.monotonic()
    await make_worker()
    await until(lambda: gone(new.run_id))
    assert time.monotonic() - began >= 0.9
    message = await reply(new.run_id)
    assert (message.status, message.reason, message.content) == (
        "interrupted",
        "worker_lost",
        "seen",
    )
    await until(lambda: _no_row(dead))


async def _no_row(worker_id: UUID) -> bool:
    return await worker_row(worker_id) is None


async def test_a_worker_whose_beat_moves_now_and_then_lives(
    make_worker: MakeWorker, set_streaming: SetStreaming
) -> None:
    set_streaming(LEASE_SECONDS=2)
    slow, new = await silent_worker()
    await make_worker()
    for _ in range(8):  # more than two leases in all
        pause = time.monotonic() + 0.6
        await until(lambda: time.monotonic() > pause)  # noqa: B023
        await threads.write_beat(takeover.raise_beat, slow)
    assert await is_alive(slow)
    assert await run_exists(new.run_id)


async def test_a_pause_of_the_watcher_starts_the_count_again(
    make_worker: MakeWorker, set_streaming: SetStreaming
) -> None:
    """SIGSTOP of ourselves, or a laptop's lid: what we did not see is no evidence."""
    set_streaming(LEASE_SECONDS=2)
    other, _ = await silent_worker()
    await make_worker()
    almost = time.monotonic() + 0.7
    await until(lambda: time.monotonic() > almost)
    time.sleep(2)
    resumed = time.monotonic()
    await until(lambda: _dead(other))
    assert time.monotonic() - resumed >= 1.9


@pytest.mark.parametrize(("beaten", "alive"), [(5, False), (20, True)])
async def test_with_a_long_lease_beats_are_missed_by_their_own_pace(
    database_threads: None, set_streaming: SetStreaming, beaten: float, alive: bool
) -> None:
    """Of 60 seconds: a poll comes each second, and a beat of our own every five."""
    set_streaming(LEASE_SECONDS=60)
    other, _ = await silent_worker()
    watch = Watch()
    for _ in range(62):
        watch.beaten_at = time.monotonic() - beaten
        await watch.look(uuid4())
    assert await is_alive(other) == alive


async def _dead(worker_id: UUID) -> bool:
    return not await is_alive(worker_id)


async def test_a_failed_poll_starts_the_count_again(database_threads: None) -> None:
    other, _ = await silent_worker()
    watch = Watch()
    watch.note_beat()
    await watch.look(uuid4())
    assert watch.silent_seconds(other, 0) == 0
    with behind() as database:
        database.execute(f"ALTER TABLE {WORKER} RENAME TO away")
        with pytest.raises(DatabaseError):
            await watch.look(uuid4())
        database.execute(f"ALTER TABLE away RENAME TO {WORKER}")
    assert watch.silent_seconds(other, 0) is None


async def test_storage_that_takes_no_writes_kills_nobody(
    make_worker: MakeWorker, set_streaming: SetStreaming
) -> None:
    """A full disk: beats can be read, and none of them moves, the watcher's own neither."""
    set_streaming(LEASE_SECONDS=1.2)
    other, _ = await silent_worker()
    await make_worker()
    with refusing_writes():
        beyond = time.monotonic() + 2.0
        await until(lambda: time.monotonic() > beyond)
    back = time.monotonic()
    await until(lambda: _dead(other))
    assert time.monotonic() - back >= 0.9


async def test_no_wall_clock_decides(make_worker: MakeWorker, set_streaming: SetStreaming) -> None:
    set_streaming(LEASE_SECONDS=0.9)
    other, _ = await silent_worker()
    years = timedelta(days=3650)
    for then in (timezone.now() - years, timezone.now() + years):
        await threads.write(lambda: Worker.objects.update(started_at=then))  # noqa: B023
    began = time.monotonic()
    await make_worker()
    await until(lambda: _dead(other))
    assert time.monotonic() - began >= 0.9


async def test_a_killed_process_of_this_host_is_dead_at_once(make_worker: MakeWorker) -> None:
    """LEASE_SECONDS is 15 here: only its lock file tells."""
    killed, new = await silent_worker()
    holder = (
        "import sys; from uuid import UUID; from streaming.lockfile import LockFile;"
        "held = LockFile(sys.argv[1], UUID(sys.argv[2])); print(flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", holder, conf().run_directory, str(killed)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    await make_worker()
    assert await is_alive(killed)
    process.kill()
    process.communicate()
    await until(lambda: gone(new.run_id), seconds=5)
    assert (await reply(new.run_id)).reason == "worker_lost"
    assert not (Path(conf().run_directory) / f"{killed}.lock").exists()


async def test_a_process_that_holds_its_lock_but_is_paused_beyond_its_lease_is_dead(
    make_worker: MakeWorker, set_streaming: SetStreaming
) -> None:
    set_streaming(LEASE_SECONDS=0.9)
    paused, new = await silent_worker()
    held = LockFile(conf().run_directory, paused)
    await make_worker()
    await until(lambda: gone(new.run_id))
    held.release()


async def test_the_boot_sweep_settles_runs_of_workers_that_are_gone(
    make_worker: MakeWorker,
) -> None:
    new = await threads.write(lambda: new_run(uuid4(), text="before the restart"))
    await make_worker()
    await until(lambda: gone(new.run_id), seconds=3)
    assert (await reply(new.run_id)).content == "before the restart"


async def test_more_orphans_than_one_transaction_takes_are_all_settled() -> None:
    lost = uuid4()
    count = 150
    runs = await threads.write(lambda: [new_run(lost, text=str(n)) for n in range(count)])
    found: set[UUID] = set()
    while batch := await threads.write(takeover.settle_orphans):
        assert not found & set(batch)
        found |= set(batch)
    assert found == {new.run_id for new in runs}


async def test_an_orphan_that_cannot_be_settled_does_not_keep_the_others(
    make_worker: MakeWorker,
) -> None:
    lost = uuid4()
    bad = await threads.write(lambda: new_run(lost))
    good = await threads.write(lambda: new_run(lost, text="good"))
    with refusing(MESSAGE, "id", bad.run_id):
        await make_worker()
        await until(lambda: gone(good.run_id), seconds=5)
    await until(lambda: gone(bad.run_id), seconds=5)


class ForgetfulRecorder(MessageRecorder):
    """One that knows nothing of some replies."""

    unknown: ClassVar[set[UUID]] = set()

    def save(self, run_id: UUID, *args: Any, **kwargs: Any) -> Any:
        if run_id in self.unknown:
            raise KeyError("planted for the test")
        return super().save(run_id, *args, **kwargs)


async def test_an_orphan_whose_recorder_fails_does_not_keep_the_others(
    make_worker: MakeWorker, set_streaming: SetStreaming
) -> None:
    set_streaming(RECORDER=f"{__name__}.ForgetfulRecorder")
    lost = uuid4()
    bad = await threads.write(lambda: new_run(lost))
    good = await threads.write(lambda: new_run(lost, text="good"))
    ForgetfulRecorder.unknown.add(bad.run_id)
    await make_worker()
    await until(lambda: gone(good.run_id))
    ForgetfulRecorder.unknown.clear()
    await until(lambda: gone(bad.run_id))


async def test_a_cut_start_is_reconciled(worker: LocalWorker) -> None:
    new = await threads.write(lambda: new_run(worker.id))
    then = timezone.now() - timedelta(seconds=6)
    await threads.write(lambda: Run.objects.update(started_at=then))
    await until(lambda: gone(new.run_id))
    assert (await reply(new.run_id)).reason == "worker_lost"


# The fenced


async def fence(worker: LocalWorker) -> UUID:
    """Declare a living worker dead, as others do after it was paused; returns its old id."""
    old = worker.id

    def declare() -> bool:
        beat = Worker.objects.get(id=old).beat
        return takeover.declare_dead(Seen(old, beat))

    await until(lambda: threads.read(declare))
    return old


async def test_a_fenced_worker_stops_spending_and_its_readers_go_on(
    make_worker: MakeWorker,
) -> None:
    fenced, taker = await make_worker(), await make_worker()
    tap = Tap()
    run = await begin(fenced, tap)
    async with reading(fenced, run.run_id) as reader:
        tap.say("seen by all")
        await reader.has("seen by all")
        old = await fence(fenced)
        tap.say(", seen by nobody")
        ended = await reader.end()
        assert reader.text == "seen by all"
    assert (ended.status, ended.reason) == ("interrupted", "worker_lost")
    await until(tap.closed.is_set)
    message = await reply(run.run_id)
    assert message.content == "seen by all"
    assert fenced.id != old
    await until(fenced.registered.is_set)
    assert taker.id not in (old, fenced.id)
    assert await fragment_count(run.run_id) == 0


async def test_a_fenced_worker_is_a_new_worker_once(make_worker: MakeWorker) -> None:
    """The journal, the beat and a settlement may all bring the news, and late."""
    worker = await make_worker()
    taps = [Tap() for _ in range(3)]
    runs = [await begin(worker, tap) for tap in taps]
    old = await fence(worker)
    for tap in taps:
        tap.say("news")
    await until(lambda: worker.id != old and worker.registered.is_set())
    new = worker.id
    tap = Tap()
    fresh = await begin(worker, tap)
    worker.journal._on_fenced(old)
    for run in runs:
        await until(run.settled.done)
    tap.say("works")
    tap.finish()
    message = await settled(fresh)
    assert (message.status, message.content) == ("completed", "works")
    assert worker.id == new


async def test_a_fenced_worker_whose_source_finishes_does_not_settle(
    make_worker: MakeWorker,
) -> None:
    worker = await make_worker()
    tap = Tap()
    run = await begin(worker, tap)
    async with reading(worker, run.run_id) as reader:
        tap.say("half")
        await reader.has("half")
        await fence(worker)
        tap.finish()
        ended = await reader.end()
    assert (ended.status, ended.reason) == ("interrupted", "worker_lost")
    assert (await reply(run.run_id)).status == "interrupted"
