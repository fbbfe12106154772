"""The start: all or nothing, and never without a producer."""

import asyncio
from functools import partial
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError, transaction
from django.db.models import Q
from django.db.models.signals import post_save

from conversations import ending, replies, starting
from conversations.exceptions import Draining, NotFound, ReplyInProgress, StorageUnavailable
from conversations.limits import turns
from conversations.limits.admission import Starter
from conversations.models import Conversation, Message, Person
from conversations.providers.scripted import ScriptedProvider
from conversations.providers.types import Prompt
from conversations.requests import Edit, Regenerate, Send, Start, digest
from conversations.starting import Begun
from streaming import takeover, threads, workers
from streaming.models import Fragment, Run
from streaming.source import Source
from streaming.takeover import Seen
from streaming.unsure import commit
from tests.conftest import Client, SetStreaming, Settings
from tests.conversations.chatting import asked, converse, events, script
from tests.streaming.behind import RUN, behind, refusing, refusing_writes
from tests.streaming.production import lose_the_answer
from tests.waiting import until

PERSON = Person._meta.db_table


def starter(client: Client, *, draining: bool = False) -> Starter:
    worker = workers.current()
    return Starter(client.user.pk, worker.id, len(worker.runs), draining)


async def begin(starter: Starter, start: Start) -> Begun:
    return await threads.write(commit, partial(starting.begin, starter, start))


async def question(client: Client, content: str = "Hello") -> Send:
    conversation = await converse(client)
    return Send(conversation_id=UUID(conversation), reply_id=uuid4(), content=content)


async def nothing_stored() -> bool:
    return not await threads.read(lambda: Message.objects.exists() or Run.objects.exists())


async def test_a_start_writes_question_reply_and_run_together(alice: Client) -> None:
    start = await question(alice)
    begun = await begin(starter(alice), start)
    run = await threads.read(lambda: Run.objects.get(id=begun.run_id))
    assert begun.new is not None
    assert (run.worker_id, run.claim) == (workers.current().id, begun.new.claim)
    reply = await threads.read(lambda: Message.objects.get(id=begun.run_id))
    assert (reply.status, reply.parent_id) == ("running", begun.question_id)


async def test_a_start_that_cannot_write_its_run_writes_nothing(alice: Client) -> None:
    start = await question(alice)
    assert start.reply_id is not None
    with refusing(RUN, "id", start.reply_id), pytest.raises(DatabaseError):
        await replies.start(alice.user.pk, start)
    assert await nothing_stored()


async def test_a_start_whose_answer_was_lost_goes_on_as_if_nothing_had_happened(
    alice: Client,
) -> None:
    start = await question(alice, script({"text": "Hold"}))

    def cut(sender: object, instance: Message, **_: object) -> None:
        if instance.id == start.reply_id:
            transaction.on_commit(lose_the_answer)

    post_save.connect(cut, sender=Message)
    try:
        begun = await replies.start(alice.user.pk, start)
    finally:
        post_save.disconnect(cut, sender=Message)
    assert begun.run_id == start.reply_id
    await until(lambda: not workers.current().runs)
    reply = await threads.read(lambda: Message.objects.get(id=begun.run_id))
    assert (reply.status, reply.content) == ("completed", "Hold")


async def test_a_worker_that_was_declared_dead_starts_nothing(alice: Client) -> None:
    start = await question(alice)
    dead = uuid4()
    await threads.write(takeover.register, dead)
    await threads.write(takeover.declare_dead, Seen(dead, 0))
    by_dead = starter(alice)._replace(worker_id=dead)
    with pytest.raises(StorageUnavailable):
        await begin(by_dead, start)
    assert await nothing_stored()


async def test_a_draining_worker_starts_nothing(alice: Client) -> None:
    start = await question(alice)
    with pytest.raises(Draining):
        await begin(starter(alice, draining=True), start)
    assert await nothing_stored()


async def test_what_was_starting_when_the_drain_began_is_settled(alice: Client) -> None:
    start = await question(alice, script({"text": "Hold"}, {"gate": "never"}))
    worker = workers.current()
    with refusing_writes() as other:
        request = asyncio.create_task(replies.start(alice.user.pk, start))
        for _ in range(6):
            await asyncio.sleep(0)
        await until(other.waiting)
        worker.begin_drain(seconds=0)
    begun = await request
    await worker.drained()
    reply = await threads.read(lambda: Message.objects.get(id=begun.run_id))
    assert (reply.status, reply.reason) == ("interrupted", "shutdown")
    assert not await threads.read(Run.objects.exists)


async def test_a_worker_that_is_fenced_while_it_starts_produces_nothing(alice: Client) -> None:
    """The run is the next one's, who may be at it already."""
    start = await question(alice)
    worker = workers.current()
    old = worker.id
    with refusing_writes() as other:
        request = asyncio.create_task(replies.start(alice.user.pk, start))
        for _ in range(6):
            await asyncio.sleep(0)
        await until(other.waiting)
        worker._fenced(old)
    begun = await request
    assert worker.id != old
    assert begun.run_id not in worker.runs
    assert await threads.read(lambda: Run.objects.get(id=begun.run_id).worker_id) == old
    await threads.write(takeover.unregister, old)
    await until(lambda: _settled(begun.run_id))


async def _settled(run_id: UUID) -> bool:
    return await threads.read(lambda: Message.objects.get(id=run_id).reason == "worker_lost")


@pytest.mark.parametrize("turns", range(6))
async def test_a_start_whose_request_is_cut_has_a_producer_all_the_same(
    alice: Client, turns: int
) -> None:
    start = await question(alice)
    with refusing_writes():
        request = asyncio.create_task(replies.start(alice.user.pk, start))
        for _ in range(turns):
            await asyncio.sleep(0)
        request.cancel()
        await asyncio.gather(request, return_exceptions=True)
    if turns == 0:
        assert await nothing_stored()  # cut before its first step
        return
    run_id = str(start.reply_id)
    await until(lambda: _stored(run_id))
    heard = await events(alice, run_id)
    assert heard[-1]["status"] == "completed"


async def test_one_persons_many_starts_do_not_delay_another_persons(
    alice: Client, bob: Client, set_streaming: SetStreaming
) -> None:
    set_streaming(RUNS_PER_USER=0)
    hers = [await question(alice) for _ in range(20)]
    his = await question(bob)
    with behind() as holder, behind() as watcher:
        if not holder.sqlite:  # where writers have one thread in any case, and one lock
            holder.begin()
            holder.execute(f"SELECT 1 FROM {PERSON} WHERE user_id = %s FOR UPDATE", alice.user.pk)
        starts = [asyncio.create_task(replies.start(alice.user.pk, start)) for start in hers]
        await until(watcher.waiting)
        async with asyncio.timeout(20):
            begun = await replies.start(bob.user.pk, his)
        assert begun.new is not None
        if not holder.sqlite:
            assert not any(start.done() for start in starts)
            holder.commit()
    assert [one.run_id for one in await asyncio.gather(*starts)] == [one.reply_id for one in hers]
    del starts
    assert not turns._locks


async def test_a_turn_that_does_not_come_is_refused() -> None:
    async with turns.turn(1):
        with pytest.raises(StorageUnavailable):
            async with turns.turn(1, seconds=0.01):
                pass
        async with turns.turn(2, seconds=0.01):
            pass


async def _stored(run_id: str) -> bool:
    return await threads.read(lambda: Message.objects.filter(id=run_id).exists())


class HastyProvider(ScriptedProvider):
    """One that fails before it gives a source."""

    def stream(self, prompt: Prompt) -> Source:
        raise LookupError("planted for the test")


async def test_a_provider_that_raises_instead_of_giving_a_source_fails_its_run(
    alice: Client, settings: Settings
) -> None:
    settings.CHAT_PROVIDERS = {
        "hasty": {"BACKEND": f"{__name__}.HastyProvider", "OPTIONS": {"gate_directory": ""}}
    }
    conversation = await converse(alice)
    run_id = await asked(alice, conversation, script({"text": "never said"}))
    [ended] = [event for event in await events(alice, run_id) if event["type"] == "ended"]
    assert (ended["status"], ended["reason"]) == ("failed", "internal")


async def test_reopening_writes_the_stored_text_back_as_first_fragments(alice: Client) -> None:
    conversation = await converse(alice)
    content = script(
        {"reasoning": "hm"}, {"text": "Hold"}, {"fail": "upstream_reset"}, {"gate": "never"}
    )
    run_id = await asked(alice, conversation, content)
    path = f"/api/messages/{run_id}/continue"
    assert (await alice.ask("POST", path, {"after": "2-4"})).status_code == 202

    def fragments() -> list[tuple[int, int, str]]:
        rows = Fragment.objects.filter(run_id=run_id).order_by("part", "end")
        return list(rows.values_list("part", "end", "text"))

    assert (await threads.read(fragments))[:2] == [(1, 2, "hm"), (2, 4, "Hold")]
    await alice.ask("POST", f"/api/runs/{run_id}/stop")
    await events(alice, run_id)


async def test_deleting_marks_the_run_and_removes_the_conversation_in_one(alice: Client) -> None:
    start = await question(alice)
    begun = await begin(starter(alice), start)
    which = Q(id=start.conversation_id)
    assert await threads.write(ending.discard, which) == [begun.run_id]
    run = await threads.read(lambda: Run.objects.get(id=begun.run_id))
    assert run.discarded
    assert not await threads.read(Conversation.objects.exists)


async def test_a_conversation_has_one_reply_in_flight(alice: Client) -> None:
    start = await question(alice)
    begun = await begin(starter(alice), start)
    second = start.model_copy(update={"reply_id": uuid4()})
    with pytest.raises(ReplyInProgress) as caught:
        await begin(starter(alice), second)
    assert caught.value.extra["run_id"] == str(begun.run_id)


async def test_somebody_else_s_conversation_is_not_found(alice: Client, bob: Client) -> None:
    start = await question(alice)
    with pytest.raises(NotFound):
        await begin(starter(bob), start)


def test_the_digest_tells_a_repeat_from_another_request() -> None:
    conversation, message = uuid4(), uuid4()
    start = Send(conversation_id=conversation, content="x", reply_id=uuid4())
    assert digest(start) == digest(start.model_copy(update={"reply_id": uuid4()}))
    others = [
        Send(conversation_id=conversation, content="y"),
        Send(conversation_id=uuid4(), content="x"),
        Send(conversation_id=conversation, content="x", on_disconnect="stop"),
        Send(conversation_id=conversation, content="x", parent_id=message),
        Edit(message_id=message, content="x"),
        Regenerate(message_id=message),
    ]
    assert len({digest(one) for one in [start, *others]}) == len(others) + 1
