"""Models and announcements: what operators change holds without a restart."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client as SyncClient
from django.urls import reverse
from django.utils import timezone

from conversations import asking, notices, offering
from conversations.models import Announcement, Conversation, OfferedModel
from streaming import threads
from tests.conftest import Client
from tests.conversations.administration.rows import staff_with
from tests.conversations.chatting import asked, converse, error_of, messages, script, send
from tests.integration.servers import eventually

LIST = reverse("admin:holdfast_conversations_offeredmodel_changelist")
PROVIDERS = {
    alias: {"BACKEND": "conversations.providers.scripted.ScriptedProvider", "OPTIONS": {}}
    for alias in ("one", "two", "three")
}


@pytest.fixture
def three(settings: Any) -> list[str]:
    """Three models."""
    settings.CHAT_PROVIDERS = PROVIDERS
    return list(offering.catalogue().models)


@pytest.mark.django_db
def test_new_models_enter_the_table_by_themselves(boss: SyncClient, three: list[str]) -> None:
    boss.get(LIST)
    boss.get(LIST)
    rows = list(OfferedModel.objects.order_by("position"))
    assert [row.id for row in rows] == three
    assert all(row.enabled and not row.is_default for row in rows)


@pytest.mark.django_db
def test_the_list_follows_names_order_and_default(boss: SyncClient, three: list[str]) -> None:
    boss.get(LIST)
    first, second, third = three
    OfferedModel.objects.filter(id=third).update(position=1, name="Sage")
    boss.post(LIST, {"action": "make_default", "_selected_action": [second]})
    boss.post(LIST, {"action": "disable", "_selected_action": [first]})
    told = boss.get("/api/models").json()["models"]
    assert [(one["id"], one["default"]) for one in told] == [(third, False), (second, True)]
    assert told[0]["name"] == "Sage"


@pytest.mark.django_db
def test_the_default_stays_enabled(boss: SyncClient, three: list[str]) -> None:
    boss.get(LIST)
    boss.post(LIST, {"action": "make_default", "_selected_action": [three[0]]})
    page = boss.post(
        LIST, {"action": "disable", "_selected_action": three[:2]}, follow=True
    ).content.decode()
    assert "The default stays enabled" in page
    enabled = OfferedModel.objects.filter(enabled=True).values_list("id", flat=True)
    assert set(enabled) == {three[0], three[2]}


@pytest.mark.django_db
def test_switching_the_default_off_is_refused_in_words(boss: SyncClient, three: list[str]) -> None:
    boss.get(LIST)
    offering.make_default(three[0])
    url = reverse("admin:holdfast_conversations_offeredmodel_change", args=[three[0]])
    plain = {"name": "", "position": "1", "input_price": "0", "output_price": "0"}
    rows = {
        f"form-{number}-{name}": value
        for number, model in enumerate(three)
        for name, value in {**plain, "id": model}.items()
    }
    ends = {"form-TOTAL_FORMS": "3", "form-INITIAL_FORMS": "3", "_save": "Save"}
    for address, form in ((url, plain), (LIST, {**rows, **ends})):
        page = boss.post(address, form)
        assert page.status_code == 200
        assert "The default stays enabled" in page.content.decode()
        assert OfferedModel.objects.filter(enabled=True).count() == 3
    on = {**rows, "form-0-enabled": "on", **ends}
    assert boss.post(LIST, on).status_code == 302
    assert list(OfferedModel.objects.filter(enabled=True).values_list("id", flat=True)) == three[:1]


@pytest.mark.django_db
def test_models_need_their_permission(three: list[str]) -> None:
    assert staff_with("view_conversation").get(LIST).status_code == 403
    viewer = staff_with("view_offeredmodel")
    assert viewer.get(LIST).status_code == 200
    viewer.post(LIST, {"action": "make_default", "_selected_action": [three[0]]})
    assert not OfferedModel.objects.filter(is_default=True).exists()


async def test_a_disabled_model_cannot_be_started_and_locks_no_conversation(
    bob: Client, settings: Any, providers: Any
) -> None:
    options = settings.CHAT_PROVIDERS["scripted"]
    settings.CHAT_PROVIDERS = {"scripted": options, "other": options}
    first, second = await threads.read(lambda: list(offering.catalogue().models))
    conversation = await converse(bob, model=first)
    await threads.write(offering.note_models)
    await threads.write(offering.make_default, second)
    await threads.write(lambda: offering.switch([first], enabled=False))
    steps = script({"text": "Hello"})
    refused = await send(bob, conversation, steps, model=first)
    assert error_of(refused) == (422, "unknown_model")
    refused = await bob.ask("POST", "/api/conversations", {"model": first})
    assert error_of(refused) == (422, "unknown_model")
    reply = await asked(bob, conversation, steps)
    assert (await messages(bob, conversation))[reply]["model"] == second


async def test_a_models_prompt_is_for_conversations_without_one(
    bob: Client, current_worker: Any
) -> None:
    await threads.write(offering.note_models)
    change = OfferedModel.objects.filter(id="scripted")
    await threads.write(lambda: change.update(system_prompt="Be brief."))
    model = (await threads.read(offering.catalogue)).get("scripted")
    assert model.system_prompt == "Be brief."
    plain, own = Conversation(), Conversation(system_prompt="Be long.")
    built = [asking.prompt(one, model, [], continued=None) for one in (plain, own)]
    assert [one.messages[0].content for one in built] == ["Be brief.", "Be long."]  # type: ignore[union-attr]


async def test_an_announcement_reaches_open_pages_within_two_seconds(
    bob: Client, current_worker: Any
) -> None:
    """Also one that was written by another process, and one whose time comes or is over."""
    heard: list[Any] = []
    watch = notices.watch()
    watch.join(heard.append)

    def texts() -> list[str]:
        shown = [event for event in heard if event["type"] == "announcement"]
        return [one["text"] for one in shown[-1]["announcements"]] if shown else []

    def write() -> None:
        now = timezone.now()
        soon = now + timedelta(seconds=4)
        Announcement.objects.create(text="Now", starts_at=now, ends_at=now + timedelta(seconds=8))
        Announcement.objects.create(text="Soon", starts_at=soon)
        Announcement.objects.create(text="Next year", starts_at=now + timedelta(days=365))
        offering.revise("announcements")

    await threads.write(write)
    await eventually(lambda: texts() == ["Now"], 2, lambda: f"heard {heard}")
    late: list[Any] = []
    watch.join(late.append)
    assert late == heard[-1:]
    await eventually(lambda: texts() == ["Soon", "Now"], 6, lambda: f"heard {heard}")
    await eventually(lambda: texts() == ["Soon"], 6, lambda: f"heard {heard}")
    assert [
        one["text"] for one in (await bob.ask("GET", "/api/announcements")).json()["announcements"]
    ] == ["Soon"]
    await threads.write(offering.note_models)
    await threads.write(offering.make_default, "scripted")
    await eventually(lambda: {"type": "models.updated"} in heard, 2, lambda: f"heard {heard}")
    watch.leave(heard.append)
    watch.leave(late.append)
    watch.look_soon()


async def test_a_page_that_comes_hears_what_is_announced_and_not_what_was(
    current_worker: Any,
) -> None:
    """Also where no page of this process heard its end."""
    watch = notices.watch()
    heard: list[Any] = []

    def texts() -> list[list[str]]:
        return [[one["text"] for one in event["announcements"]] for event in heard]

    def looking() -> bool:
        return any(task.get_name() == "notices" for task in asyncio.all_tasks())

    async def visit(*shown: list[str]) -> None:
        heard.clear()
        watch.join(heard.append)
        await eventually(lambda: watch._revisions is not None, 2, "it does not look")
        watch.leave(heard.append)
        assert texts() == [*shown]
        watch.look_soon()
        await eventually(lambda: not looking(), 2, "it looks without listeners")

    def write() -> None:
        Announcement.objects.create(text="Now")
        offering.revise("announcements")

    def end() -> None:
        Announcement.objects.all().delete()
        offering.revise("announcements")

    await visit()
    await threads.write(write)
    await visit(["Now"])
    await threads.write(end)
    await visit()


@pytest.mark.django_db
def test_staff_write_and_end_announcements(boss: SyncClient) -> None:
    url = reverse("admin:holdfast_conversations_announcement_add")
    now = timezone.now() - timedelta(minutes=1)
    form = {
        "text": "We move <tonight>",
        "level": "warning",
        "starts_at_0": now.strftime("%Y-%m-%d"),
        "starts_at_1": now.strftime("%H:%M:%S"),
        "ends_at_0": "",
        "ends_at_1": "",
    }
    assert boss.post(url, form).status_code == 302
    (shown,) = SyncClient().get("/api/announcements").json()["announcements"]
    assert (shown["text"], shown["level"]) == ("We move <tonight>", "warning")
    backwards = {**form, "ends_at_0": "2020-01-01", "ends_at_1": "00:00:00"}
    assert boss.post(url, backwards).status_code == 200
    changes = reverse("admin:holdfast_conversations_announcement_changelist")
    boss.post(changes, {"action": "end_now", "_selected_action": [shown["id"]]})
    assert SyncClient().get("/api/announcements").json()["announcements"] == []
    assert get_user_model().objects.count() == 1
