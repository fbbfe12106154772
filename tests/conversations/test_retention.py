"""What nobody touched for RETENTION_DAYS goes, in batches, and nothing else."""

from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from conversations import retention
from conversations.models import Conversation, Delivery, Message
from streaming import threads
from tests.conftest import Client
from tests.conversations.chatting import asked, converse, script, send
from tests.conversations.test_exports import download, export
from tests.conversations.test_imports import listed, take


async def aged(client: Client, days: float, *, live: bool = False, **fields: Any) -> str:
    conversation = await converse(client)
    if live:
        await send(client, conversation, script({"text": "x"}, {"gate": "never"}))
    else:
        await asked(client, conversation, "Hello")
    at = timezone.now() - timedelta(days=days)
    rows = Conversation.objects.filter(pk=conversation)
    await threads.write(lambda: rows.update(updated_at=at, **fields))
    return conversation


async def kept() -> set[str]:
    return {
        str(pk)
        for pk in await threads.read(
            lambda: list(Conversation.objects.values_list("pk", flat=True))
        )
    }


async def test_old_conversations_go_and_younger_and_live_ones_stay(
    alice: Client, bob: Client, settings: Settings, providers: Path
) -> None:
    settings.RETENTION_DAYS = 30
    await aged(alice, 31)
    await aged(bob, 31, pinned=True, archived=True)
    young, live = await aged(alice, 29), await aged(alice, 31, live=True)
    assert await retention.purge() == 2
    assert await kept() == {young, live}
    assert await threads.read(Message.objects.count) == 4


@pytest.mark.parametrize(
    "change", [{"title": "Knots"}, {"pinned": True}, {"archived": True}, {"system_prompt": "Hm."}]
)
async def test_what_was_changed_since_stays(
    alice: Client, settings: Settings, change: dict[str, Any]
) -> None:
    settings.RETENTION_DAYS = 30
    changed, _ = await aged(alice, 31), await aged(alice, 31)
    await alice.ask("PATCH", f"/api/conversations/{changed}", change)
    assert await retention.purge() == 1
    assert await kept() == {changed}
    rows = Conversation.objects.filter(touched_at__isnull=False)
    old = timezone.now() - timedelta(days=31)
    await threads.write(lambda: rows.update(touched_at=old))
    assert await retention.purge() == 1


async def test_what_was_imported_since_stays_however_old_the_file_says_it_is(
    alice: Client, bob: Client, settings: Settings
) -> None:
    settings.RETENTION_DAYS = 30
    conversation = await aged(alice, 400)
    file, _ = await download(alice, export(conversation, "json"))
    await take(bob, file.encode())
    [taken] = (await listed(bob)).values()
    assert timezone.now() - datetime.fromisoformat(taken["updated_at"]) > timedelta(days=399)
    assert await retention.purge() == 1
    assert await kept() == {taken["id"]}


async def test_without_a_number_of_days_all_is_kept(alice: Client, settings: Settings) -> None:
    settings.RETENTION_DAYS = 0
    old = await aged(alice, 10_000)
    assert await retention.purge() == 0
    assert await kept() == {old}
    with pytest.raises(CommandError):
        await threads.write(lambda: call_command("purge_conversations"))


async def test_it_goes_in_batches(alice: Client) -> None:
    for _ in range(3):
        await aged(alice, 31)
    assert [await threads.write(retention.purge_some, 30, 2) for _ in range(3)] == [2, 1, 0]


async def test_the_command_purges_and_tells_open_pages(alice: Client) -> None:
    await aged(alice, 31)
    said = StringIO()
    await threads.write(lambda: call_command("purge_conversations", days=30, stdout=said))
    assert "Deleted 1 conversations" in said.getvalue()
    assert await kept() == set()


async def test_reports_of_webhooks_go_after_their_time(alice: Client, settings: Settings) -> None:
    now = timezone.now()

    def make() -> None:
        for state, days in (
            *(("delivered", 8), ("delivered", 6), ("dead", 31), ("dead", 29)),
            *(("waiting", 31), ("waiting", 29)),
        ):
            at = now - timedelta(days=days)
            Delivery.objects.create(
                webhook_id=1,
                run_id=alice_run,
                owner_key="1",
                body="{}",
                state=state,
                next_at=at,
                created_at=at,
                done_at=None if state == "waiting" else at,
            )

    alice_run = await converse(alice)
    await threads.write(make)
    await retention.purge()
    left = await threads.read(lambda: sorted(Delivery.objects.values_list("state", flat=True)))
    assert left == ["dead", "delivered", "waiting"]
