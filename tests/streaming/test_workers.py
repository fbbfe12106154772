"""The worker that this process is: registration, drain, storage that comes late."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from streaming import threads, workers
from streaming.conf import conf
from streaming.detached import spawn
from streaming.lockfile import look
from streaming.models import Worker
from streaming.runner import LiveRun
from streaming.workers import LocalWorker
from tests.conftest import MakeWorker, SetStreaming
from tests.streaming.behind import WORKER, behind, refusing_writes
from tests.streaming.production import Tap, begin, reading, reply, settled, worker_row
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]


async def test_a_worker_takes_its_lock_then_its_row(worker: LocalWorker) -> None:
    row = await worker_row(worker.id)
    assert row is not None and row.alive and not row.draining
    assert look(conf().run_directory, worker.id) == "alive"


async def test_a_worker_beats(worker: LocalWorker, set_streaming: SetStreaming) -> None:
    async def beat() -> int:
        row = await worker_row(worker.id)
        assert row is not None
        return row.beat

    first = await beat()
    await until(lambda: _more(beat, first))


async def test_a_drain_in_the_first_moment_leaves_no_row(database_threads: None) -> None:
    worker = LocalWorker()
    worker.begin()
    await worker.drained()
    assert await worker_row(worker.id) is None


async def _more(beat: object, than: int) -> bool:
    return await beat() > than  # type: ignore[operator,no-any-return]


async def test_ids_are_never_used_again(make_worker: MakeWorker) -> None:
    one, two = await make_worker(), await make_worker()
    assert one.id != two.id


def test_neither_import_nor_a_command_makes_a_worker() -> None:
    code = (
        "import django; django.setup();"
        "import streaming.consumers, streaming.asgi, conversations.api, chatproject.asgi;"
        "from streaming import workers; assert workers.peek() is None"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"DJANGO_SETTINGS_MODULE": "chatproject.settings", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("impatient_database")
async def test_a_worker_registers_once_storage_is_there(make_worker: MakeWorker) -> None:
    with refusing_writes():
        registering = asyncio.ensure_future(make_worker())
        attempts = asyncio.get_running_loop().time() + 0.5
        await until(lambda: asyncio.get_running_loop().time() > attempts)
        assert not registering.done()
    worker = await registering
    assert await worker_row(worker.id) is not None


async def test_no_lock_directory_is_no_obstacle(
    make_worker: MakeWorker, set_streaming: SetStreaming, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    set_streaming(RUN_DIRECTORY=str(tmp_path / "file"))
    worker = await make_worker()
    assert await worker_row(worker.id) is not None


async def test_a_step_of_the_worker_that_fails_does_not_end_it(
    make_worker: MakeWorker, set_streaming: SetStreaming
) -> None:
    """Beats, watch and reconciliation survive whatever the database says."""
    set_streaming(LEASE_SECONDS=1.2)
    worker = await make_worker()
    with behind() as database:
        database.execute(f"ALTER TABLE {WORKER} RENAME TO away")
        failing = asyncio.get_running_loop().time() + 0.6
        await until(lambda: asyncio.get_running_loop().time() > failing)
        database.execute(f"ALTER TABLE away RENAME TO {WORKER}")
    row = await worker_row(worker.id)
    assert row is not None

    async def beats_again() -> bool:
        now = await worker_row(worker.id)
        return now is not None and now.beat > row.beat

    await until(beats_again)


# Drain


async def test_a_drain_lets_live_runs_end(make_worker: MakeWorker) -> None:
    worker = await make_worker()
    tap = Tap()
    run = await begin(worker, tap)
    async with reading(worker, run.run_id) as reader:
        worker.begin_drain(seconds=10)
        assert worker.draining
        row = await worker_row(worker.id)
        await until(lambda: row)
        tap.say("to the end")
        tap.finish()
        assert (await reader.end()).status == "completed"
    await worker.drained()
    assert (await reply(run.run_id)).content == "to the end"
    assert await worker_row(worker.id) is None


async def test_what_a_drain_does_not_wait_for_is_interrupted_with_its_text(
    make_worker: MakeWorker,
) -> None:
    worker = await make_worker()
    tap = Tap()
    run = await begin(worker, tap)
    async with reading(worker, run.run_id) as reader:
        tap.say("so far")
        await reader.has("so far")
        worker.begin_drain(seconds=0)
        ended = await reader.end()
    assert (ended.status, ended.reason) == ("interrupted", "shutdown")
    await worker.drained()
    message = await reply(run.run_id)
    assert (message.reason, message.content) == ("shutdown", "so far")
    assert tap.closed.is_set()


async def test_a_drain_waits_for_starts_under_way_and_interrupts_their_runs(
    make_worker: MakeWorker,
) -> None:
    worker = await make_worker()
    committed = asyncio.Event()

    async def start() -> LiveRun:
        await committed.wait()
        return await begin(worker, Tap())

    starting = spawn(start(), name="start")
    worker.expect(starting)
    worker.begin_drain(seconds=0)
    await until(lambda: is_draining(worker))
    committed.set()
    run = await starting
    await worker.drained()
    assert (await reply(run.run_id)).reason == "shutdown"


async def is_draining(worker: LocalWorker) -> bool:
    row = await worker_row(worker.id)
    return row is not None and row.draining


async def test_a_drained_worker_leaves_nothing(make_worker: MakeWorker) -> None:
    before = len(asyncio.all_tasks())
    worker = await make_worker()
    directory = Path(conf().run_directory)
    assert list(directory.iterdir())
    worker.begin_drain(seconds=0)
    worker.begin_drain(seconds=60)  # the first one counts
    await worker.drained()
    assert await threads.read(Worker.objects.count) == 0
    assert list(directory.iterdir()) == []
    await until(lambda: len(asyncio.all_tasks()) == before)


async def test_a_drain_closes_the_readers_of_other_workers_runs_as_planned(
    make_worker: MakeWorker,
) -> None:
    owner, other = await make_worker(), await make_worker()
    tap = Tap()
    run = await begin(owner, tap)
    async with reading(other, run.run_id) as reader:
        tap.say("go on elsewhere")
        await reader.has("go on elsewhere")
        other.begin_drain(seconds=0)
        await reader.closed()
        assert reader.ended is None
        await other.drained()
    tap.finish()
    assert (await settled(run)).status == "completed"


async def test_a_reader_that_comes_when_the_drain_is_over_is_sent_away_as_planned(
    make_worker: MakeWorker,
) -> None:
    owner, other = await make_worker(), await make_worker()
    tap = Tap()
    run = await begin(owner, tap)
    other.begin_drain(seconds=0)
    await other.drained()
    async with reading(other, run.run_id) as reader:
        await reader.closed()
        assert reader.ended is None
    tap.finish()
    assert (await settled(run)).status == "completed"


async def test_a_drain_settles_though_storage_wait_is_switched_off(
    make_worker: MakeWorker, set_streaming: SetStreaming
) -> None:
    set_streaming(STORAGE_WAIT_SECONDS=0)
    worker = await make_worker()
    tap = Tap()
    run = await begin(worker, tap)
    tap.say("x")
    worker.begin_drain(seconds=0)
    await worker.drained()
    assert (await reply(run.run_id)).reason == "shutdown"


async def test_the_worker_of_the_process_is_made_once(current_worker: LocalWorker) -> None:
    assert workers.current() is current_worker is workers.peek()
