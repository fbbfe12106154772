"""Replies whose worker was lost: what the model is asked, what is spent, how the texts join."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from pytest_django import Settings

from conversations import resuming
from conversations.models import Message, Spending
from conversations.providers.scripted import ScriptedProvider
from conversations.providers.types import Model, Prompt
from conversations.tokens import estimate_tokens
from streaming import takeover, threads, workers
from streaming.models import Run, Worker
from streaming.recorder import Resumption
from streaming.source import Finish, Item, Source
from streaming.takeover import Seen
from streaming.transcript import StoredPart
from tests.conftest import Client, SetStreaming
from tests.conversations.chatting import converse, events, read, script, send, text_of
from tests.streaming.production import stored_text
from tests.waiting import until

_asked: list[Prompt] = []


class AskedProvider(ScriptedProvider):
    """One that remembers what it was asked."""

    async def stream(self, prompt: Prompt) -> Source:
        _asked.append(prompt)
        async with aclosing(super().stream(prompt)) as items:
            async for item in items:
                yield item


class ForgetfulProvider(ScriptedProvider):
    """One whose model cannot go on from its own words."""

    def models(self) -> list[Model]:
        return [replace(model, continues=False) for model in super().models()]


@pytest.fixture
def asked(settings: Settings, providers: Any) -> list[Prompt]:
    _offer(settings, AskedProvider)
    _asked.clear()
    return _asked


def _offer(settings: Settings, kind: type) -> None:
    known = settings.CHAT_PROVIDERS["scripted"]
    settings.CHAT_PROVIDERS = {"scripted": {**known, "BACKEND": f"{__name__}.{kind.__name__}"}}


async def running(client: Client, text: str = "said", **conversation: Any) -> UUID:
    """A reply that has said something, and waits."""
    steps = [{"text": text}, {"gate": "never"}]
    response = await send(client, await converse(client, **conversation), script(*steps))
    run_id = UUID(response.json()["run_id"])
    await until(lambda: _stored(run_id, text))
    return run_id


async def _stored(run_id: UUID, text: str) -> bool:
    return await stored_text(run_id) == text


async def resumption(run_id: UUID, *parts: StoredPart) -> Resumption | None:
    """Ask how a reply goes on from this text, as a worker does that takes it over."""

    def ask() -> Resumption | None:
        with transaction.atomic():
            return resuming.resume(run_id, list(parts))

    return await threads.write(ask)


async def items_of(found: Resumption | None) -> AsyncGenerator[Item]:
    assert found is not None
    async with aclosing(found.source()) as items:
        async for item in items:
            yield item


async def first_of(found: Resumption | None) -> Item:
    async with aclosing(items_of(found)) as items:
        return await anext(items)


async def lose_worker() -> None:
    """Declare this process's worker dead; it registers anew, and finds its own runs lost."""

    def declare() -> bool:
        worker_id = workers.current().id
        return takeover.declare_dead(Seen(worker_id, Worker.objects.get(id=worker_id).beat))

    await until(lambda: threads.read(declare))


async def test_a_reply_goes_on_exactly_behind_what_was_seen(
    alice: Client, providers: Any, set_streaming: SetStreaming
) -> None:
    set_streaming(ON_WORKER_LOSS="continue")
    steps: list[dict[str, Any]] = [
        {"reasoning": "why? "},
        {"text": "one two ", "repeat": 3},
        {"gate": "go"},
        {"text": "one two ", "repeat": 3},
        {"usage": [3, 5]},
    ]
    conversation = await converse(alice)
    response = await send(alice, conversation, script(*steps))
    run_id = UUID(response.json()["run_id"])
    await until(lambda: _stored(run_id, "why? " + "one two " * 3))
    following = await alice.ask("GET", f"/api/runs/{run_id}/events")
    heard = asyncio.ensure_future(read(following))
    await lose_worker()
    await until(lambda: _tries(run_id))
    (providers / "go").touch()
    found = await heard
    assert text_of(found) == "why? " + "one two " * 6
    places = [event for event in found if event["type"] == "delta"]
    for before, after in zip(places, places[1:], strict=False):
        assert after["at"] == before["id"]
    assert found[-1]["status"] == "completed"
    message = await threads.read(lambda: Message.objects.get(id=run_id))
    assert [part["kind"] for part in message.parts] == ["reasoning", "text"]
    assert (message.content, message.input_tokens) == ("one two " * 6, 3)


async def test_a_reply_that_was_lost_in_its_thoughts_is_not_thought_twice(
    alice: Client, providers: Any, set_streaming: SetStreaming
) -> None:
    set_streaming(ON_WORKER_LOSS="continue")
    steps: list[dict[str, Any]] = [
        {"reasoning": "on the one hand, "},
        {"gate": "go"},
        {"reasoning": "on the other"},
        {"text": "so"},
    ]
    response = await send(alice, await converse(alice), script(*steps))
    run_id = UUID(response.json()["run_id"])
    await until(lambda: _stored(run_id, "on the one hand, "))
    await lose_worker()
    await until(lambda: _tries(run_id))
    (providers / "go").touch()
    assert text_of(await events(alice, str(run_id))) == "on the one hand, on the otherso"


async def _tries(run_id: UUID) -> int:
    return await threads.read(lambda: Run.objects.get(id=run_id).tries)


async def test_the_model_is_asked_for_what_follows_the_text(
    alice: Client, asked: list[Prompt]
) -> None:
    run_id = await running(alice)
    found = await resumption(
        run_id, StoredPart("reasoning", "why"), StoredPart("text", "said, and more")
    )
    reading = asyncio.ensure_future(first_of(found))
    await until(lambda: len(asked) == 2)
    reading.cancel()
    last = asked[1].messages[-1]
    assert (last.role, last.content) == ("assistant", "said, and more")
    assert asked[1].messages[:-1] == asked[0].messages


async def test_a_model_that_cannot_go_on_is_not_asked(alice: Client, settings: Settings) -> None:
    run_id = await running(alice)
    _offer(settings, ForgetfulProvider)
    assert await resumption(run_id, StoredPart("text", "said")) is None
    assert not await threads.read(Spending.objects.exists)


async def test_a_model_that_is_gone_is_not_replaced_by_another(
    alice: Client, settings: Settings
) -> None:
    run_id = await running(alice)
    demo = {"BACKEND": "conversations.providers.demo.DemoProvider", "OPTIONS": {}}
    settings.CHAT_PROVIDERS = {"demo": demo}
    assert await resumption(run_id, StoredPart("text", "said")) is None


async def test_a_reply_that_is_settled_or_gone_does_not_go_on(alice: Client) -> None:
    run_id = await running(alice)
    rows = Message.objects.filter(id=run_id)
    await threads.write(lambda: rows.delete())
    assert await resumption(run_id, StoredPart("text", "said")) is None


async def test_tokens_of_the_lost_worker_count_towards_the_limit(
    alice: Client, asked: list[Prompt]
) -> None:
    run_id = await running(alice, settings={"max_output_tokens": 100})
    found = await resumption(run_id, StoredPart("text", "said"))
    reading = asyncio.ensure_future(first_of(found))
    await until(lambda: len(asked) == 2)
    reading.cancel()
    assert asked[1].max_output_tokens == 100 - estimate_tokens("said")


async def test_a_reply_that_has_used_up_its_tokens_ends_with_its_length(alice: Client) -> None:
    run_id = await running(alice, settings={"max_output_tokens": 1})
    found = await resumption(run_id, StoredPart("text", "said"))
    assert [item async for item in items_of(found)] == [Finish("length")]


async def test_what_lost_workers_took_is_entered_once(
    alice: Client, providers: Any, set_streaming: SetStreaming
) -> None:
    run_id = await running(alice)
    row = await threads.read(lambda: Message.objects.get(id=run_id))
    await resumption(run_id, StoredPart("text", "said"))
    first = await threads.read(Spending.objects.get)
    assert (first.input_tokens, first.output_tokens) == (row.asked_tokens, estimate_tokens("said"))
    assert first.replies == 0
    again = await threads.read(lambda: Message.objects.get(id=run_id))
    await resumption(run_id, StoredPart("text", "said, and more"))
    second = await threads.read(Spending.objects.get)
    more = estimate_tokens(", and more")
    assert second.output_tokens == first.output_tokens + more
    assert second.input_tokens == first.input_tokens + again.asked_tokens
    await alice.ask("POST", f"/api/runs/{run_id}/stop")
    await events(alice, str(run_id))
    assert (await threads.read(Spending.objects.get)).replies == 1
