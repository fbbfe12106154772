"""What a project does with runs: start, follow, come back, stop."""

import asyncio
import threading
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.contrib.auth import get_user_model
from django.db import OperationalError, transaction
from django.http import HttpRequest
from django.utils import timezone

from conversations.models import Conversation, Message, Person
from streaming import runs, statements, takeover, threads
from streaming.clocks import Clocks
from streaming.cursor import START, BadCursor
from streaming.models import Run, Worker
from streaming.runner import NewRun
from streaming.subscription import NoSuchRun
from streaming.transcript import StoredPart, Transcript, end_of
from streaming.unsure import is_ours
from streaming.workers import LocalWorker
from tests.conversations.chatting import new_id
from tests.streaming.behind import behind
from tests.streaming.production import (
    Tap,
    lose_the_answer,
    new_run,
    reading,
    reply,
    run_exists,
)
from tests.waiting import until


class Reply:
    """A reply that a start is to write."""

    def __init__(self) -> None:
        self.id = UUID(new_id())
        self.tap = Tap()

    def write(self) -> None:
        now = timezone.now()
        user = get_user_model().objects.create(username=str(self.id))
        Person.objects.create(user=user)
        conversation = Conversation.objects.create(owner=user, updated_at=now)
        Message.objects.create(
            id=self.id,
            conversation=conversation,
            role="assistant",
            status="running",
            created_at=now,
        )

    async def start(self) -> None:
        await runs.start(self.tap.stream(), run_id=self.id, write=self.write, about={"a": "b"})

    async def is_written(self) -> bool:
        return await threads.read(Message.objects.filter(id=self.id).exists)


def asking(after: str = "", last_event_id: str = "") -> HttpRequest:
    request = HttpRequest()
    request.GET = request.GET.copy()
    request.GET["after"] = after
    if last_event_id:
        request.META["HTTP_LAST_EVENT_ID"] = last_event_id
    return request


async def test_empty_parts_number_the_journal_and_the_transcript_alike(
    current_worker: LocalWorker,
) -> None:
    said = [StoredPart("text", "Hold"), StoredPart("reasoning", "hm"), StoredPart("text", "fast")]
    nothing = StoredPart("reasoning", "")
    stored = [nothing, said[0], nothing, *said[1:], nothing]
    new = NewRun(run_id=UUID(new_id()), claim=UUID(new_id()), about={}, stored=stored)

    def begin() -> list[StoredPart]:
        with transaction.atomic():
            runs.open_run(current_worker.id, new, owner_key="")
            found = statements.stored_parts([new.run_id])[new.run_id]
            transaction.set_rollback(True)
        return found

    transcript = Transcript(new.stored)
    assert await threads.write(begin) == transcript.stored() == said
    assert transcript.end == end_of(stored) == end_of(said)


async def test_a_start_writes_the_project_s_rows_and_produces_the_reply(
    current_worker: LocalWorker,
) -> None:
    started = Reply()
    await started.start()
    async with reading(current_worker, started.id) as reader:
        started.tap.say("Holdfast")
        await reader.has("Holdfast")
        started.tap.finish()
        ended = await reader.end()
    stored = await reply(started.id)
    assert (stored.status, stored.content) == ("completed", "Holdfast")
    assert ended.status == "completed"
    assert not await run_exists(started.id)


async def test_what_the_project_s_rows_raise_starts_nothing(current_worker: LocalWorker) -> None:
    started = Reply()

    def write() -> None:
        started.write()
        raise LookupError("no such topic")

    with pytest.raises(LookupError, match="no such topic"):
        await runs.start(started.tap.stream(), run_id=started.id, write=write)
    assert not await started.is_written()
    assert not await run_exists(started.id)
    assert current_worker.runs == {}


async def test_a_start_goes_on_whatever_becomes_of_the_request(
    current_worker: LocalWorker,
) -> None:
    started = Reply()
    request = asyncio.create_task(started.start())
    await asyncio.sleep(0)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    await until(lambda: started.id in current_worker.runs)
    started.tap.finish()
    await until(lambda: not current_worker.runs)
    assert (await reply(started.id)).status == "completed"


async def test_a_start_whose_answer_was_lost_is_recognised_and_produced(
    current_worker: LocalWorker,
) -> None:
    started = Reply()

    def write() -> None:
        started.write()
        transaction.on_commit(lose_the_answer)

    await runs.start(started.tap.stream(), run_id=started.id, write=write)
    async with reading(current_worker, started.id) as reader:
        started.tap.say("Holdfast")
        await reader.has("Holdfast")
        started.tap.finish()
        assert (await reader.end()).status == "completed"
    assert current_worker.opening == {}


async def test_a_start_that_was_not_written_after_all_is_refused(
    current_worker: LocalWorker,
) -> None:
    started = Reply()

    def undo() -> None:
        Run.objects.filter(id=started.id).delete()
        lose_the_answer()

    with pytest.raises(OperationalError):
        await runs.start(
            started.tap.stream(), run_id=started.id, write=lambda: transaction.on_commit(undo)
        )
    assert current_worker.runs == {}
    assert current_worker.opening == {}


async def test_nobody_settles_a_start_while_its_answer_is_out(current_worker: LocalWorker) -> None:
    started, clocks = Reply(), Clocks(current_worker)

    def reconcile() -> None:
        long_ago = timezone.now() - timedelta(seconds=60)
        assert Run.objects.filter(id=started.id).update(started_at=long_ago)
        assert takeover.settle_unheld(current_worker.id, clocks.held) == {}

    def write() -> None:
        started.write()
        transaction.on_commit(reconcile)

    await runs.start(started.tap.stream(), run_id=started.id, write=write)
    assert started.id in current_worker.runs
    assert current_worker.opening == {}


async def test_a_start_that_the_database_is_still_at_work_on_is_waited_for(
    current_worker: LocalWorker,
) -> None:
    late_ids: list[tuple[UUID, UUID]] = []
    written, may_commit = threading.Event(), threading.Event()

    def slowly() -> None:
        with transaction.atomic():
            statements.lock_worker(current_worker.id)
            late = new_run(current_worker.id)
            late_ids.append((late.run_id, late.claim))
            written.set()
            may_commit.wait(8)

    def look() -> bool:
        with transaction.atomic():
            run_id, claim = late_ids[0]
            return is_ours(run_id, current_worker.id, claim)

    writing = asyncio.create_task(threads.write(slowly))
    await until(written.is_set)
    looking = asyncio.create_task(threads.write(look))
    with behind() as other:
        await until(other.waiting)
    may_commit.set()
    assert await looking
    await writing


async def test_nothing_is_started_by_a_process_that_ends(current_worker: LocalWorker) -> None:
    current_worker.draining = True
    started = Reply()
    with pytest.raises(runs.NotReady):
        await started.start()
    assert not await started.is_written()


async def test_nothing_is_started_by_a_process_that_was_declared_dead(
    current_worker: LocalWorker,
) -> None:
    rows = Worker.objects.filter(id=current_worker.id)
    await threads.write(lambda: rows.update(alive=False))
    started = Reply()
    with pytest.raises(runs.NotReady):
        await started.start()
    assert not await started.is_written()


async def test_a_drain_waits_for_a_start_that_is_under_way(current_worker: LocalWorker) -> None:
    started, writing, may_go_on = Reply(), threading.Event(), threading.Event()

    def write() -> None:
        started.write()
        writing.set()
        may_go_on.wait(8)

    source = started.tap.stream()
    request = asyncio.create_task(runs.start(source, run_id=started.id, write=write))
    await until(writing.is_set)
    current_worker.begin_drain(seconds=0)
    request.cancel()
    may_go_on.set()
    await current_worker.drained()
    assert (await reply(started.id)).reason == "shutdown"
    assert not await run_exists(started.id)


async def test_a_reader_comes_back_to_where_it_was(current_worker: LocalWorker) -> None:
    started = Reply()
    await started.start()
    started.tap.say("Holdfast")
    started.tap.finish()
    await until(lambda: not current_worker.runs)
    for request, cursor in (
        (asking(), START),
        (asking(after="1-4"), (1, 4)),
        (asking(after="1-4", last_event_id="1-6"), (1, 6)),
        (asking(after="1-4.end"), (1, 4)),
    ):
        subscription = await runs.resume(request, started.id)
        assert subscription is not None
        assert subscription.cursor == cursor
        subscription.close()
    assert await runs.resume(asking(last_event_id="1-8.end"), started.id) is None
    assert current_worker.reader_count == 0
    for after in ("1-9", "x", "1-9.end"):
        with pytest.raises(BadCursor):
            await runs.resume(asking(after=after), started.id)
    with pytest.raises(NoSuchRun):
        await runs.resume(asking(), uuid4())


async def test_a_run_is_stopped_at_once_and_its_text_stays(current_worker: LocalWorker) -> None:
    started = Reply()
    await started.start()
    async with reading(current_worker, started.id) as reader:
        started.tap.say("Hold")
        await reader.has("Hold")
        await runs.stop(started.id)
        assert (await reader.end()).status == "stopped"
    assert (await reply(started.id)).content == "Hold"


async def test_a_run_of_another_process_is_told_to_stop(current_worker: LocalWorker) -> None:
    def elsewhere() -> UUID:
        worker = Worker.objects.create(id=uuid4(), host="elsewhere", pid=1)
        now = timezone.now()
        run = Run.objects.create(id=uuid4(), worker_id=worker.id, claim=uuid4(), started_at=now)
        return run.id

    run_id = await threads.write(elsewhere)
    await runs.stop(run_id)
    run = await threads.read(lambda: Run.objects.get(id=run_id))
    assert run.stop_requested_at is not None
