"""Sync events from other workers: what stands on the line and is none goes to nobody."""

from typing import Any

import pytest
from channels.layers import get_channel_layer

from conversations import sync
from tests.conftest import Client
from tests.waiting import until

EVENT = {"type": "sync.event", "event": {"type": "models.updated", "revision": 1}}


@pytest.mark.parametrize(
    "about",
    [
        ["person.{id}", [{"type": "websocket.receive", "text": '{"type":"send"}'}]],
        ["person.{id}", [{"type": "websocket.disconnect", "code": 1000}]],
        ["person.{id}", [EVENT | {"more": 1}]],
        ["person.{id}", [{"type": "sync.event", "event": "text"}]],
        ["person.{id}", "text"],
        ["somebody.{id}", [EVENT]],
        [7, [EVENT]],
        {"no": "list"},
        None,
    ],
)
async def test_only_events_and_checks_come_from_the_line(alice: Client, about: Any) -> None:
    layer = get_channel_layer()
    name = sync.group(alice.user.pk)
    for group in (name, f"somebody.{alice.user.pk}"):
        await layer.group_add(group, "a.socket")
    if isinstance(about, list) and isinstance(about[0], str):
        about = [about[0].format(id=alice.user.pk), about[1]]
    sync._take(about)
    sync._take([name, [EVENT, {"type": "session.check"}]])
    came: list[Any] = []

    async def both() -> bool:
        came.append(await layer.receive("a.socket"))
        return len(came) == 2

    await until(both)
    assert came == [EVENT, {"type": "session.check"}]


async def test_what_comes_from_the_line_without_end_waits_within_a_bound(alice: Client) -> None:
    name = sync.group(alice.user.pk)
    sync._take([name, [EVENT] * 1000])
    assert len(sync._outbox) <= sync._AT_ONCE
    for _ in range(5000):
        sync._take([name, [EVENT]])
    assert len(sync._outbox) <= sync._MOST_WAITING
    await until(lambda: len(sync._outbox) == 0)
