"""The console: staff alone, a log that costs a logging call little, figures while watched."""

import asyncio
import json
import logging
import sys
import threading
import time
from contextlib import aclosing
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.test import AsyncClient
from django.urls import reverse

from chatproject.logs import formatter
from conversations.console.lines import Filter, escaped, shaped
from conversations.console.monitor import Monitor
from conversations.console.tail import LogTail
from conversations.console.urls import console
from conversations.console.watching import MOST_IN_A_LOOK, LogWatch
from streaming import threads
from streaming.workers import LocalWorker
from tests.waiting import until


@pytest.fixture
def tail() -> LogTail:
    found = LogTail(1000)
    found.setFormatter(formatter("json"))
    return found


@pytest.fixture
def log(tail: LogTail) -> Any:
    logger = logging.getLogger(f"tests.console.{uuid4()}")
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    logger.addHandler(tail)
    return logger


def messages(event: Any) -> list[str]:
    return [line["message"] for line in json.loads(event.data)["lines"]]


def test_a_line_is_kept_as_it_was_when_it_was_logged(log: Any, tail: LogTail) -> None:
    changing = ["before"]
    log.warning("%s and %d", changing, 7, extra={"facts": {"run_id": "r"}})
    changing[0] = "after"
    line = json.loads(shaped(tail.kept()[0], tail.formatter).json)
    assert line["message"] == "['before'] and 7"
    assert (line["level"], line["thread"]) == ("WARNING", "MainThread")
    assert line["fields"] == {"run_id": "r"}


def test_a_line_that_cannot_be_formatted_is_still_a_line(tail: LogTail) -> None:
    class Bad:
        def __str__(self) -> str:
            raise RuntimeError

    mistakes: list[tuple[Any, Any]] = [("%s", (Bad(),)), (Bad(), ()), ("%d of %d", (1,))]
    for message, args in mistakes:
        tail.handle(logging.LogRecord("bad", logging.INFO, __file__, 1, message, args, None))
    shown = [json.loads(shaped(kept, tail.formatter).json)["message"] for kept in tail.kept()]
    assert shown == ["%s", "<Bad>", "%d of %d (1,)"]


def test_no_secret_and_no_control_character_is_shown(log: Any, tail: LogTail) -> None:
    log.info("\x1b[2J\u202efake\r", extra={"facts": {"api_key": "sk-1", "path": "/\x07"}})
    log.info("token=abcdefgh at https://someone:else@host/")
    line = shaped(tail.kept()[0], tail.formatter)
    shown = json.loads(line.json)
    assert shown["message"] == r"\x1b[2J\u202efake\r"
    assert shown["fields"] == {"api_key": "[secret]", "path": r"/\x07"}
    assert b"sk-1" not in line.json and "sk-1" not in line.text
    other = shaped(tail.kept()[1], tail.formatter)
    assert not any(secret in other.json for secret in (b"abcdefgh", b"someone:else"))
    assert escaped("a\nb\tc\udc80") == "a\nb\tc\\udc80"


def test_what_is_kept_is_bounded_and_a_flood_does_not_push_warnings_out(
    log: Any, tail: LogTail
) -> None:
    log.error("this must be seen")
    log.info("x" * 1_000_000)
    log.info("%s", "y" * 1_000_000)
    says = "first line\nthe row: secret" + "z" * 1_000_000
    try:
        raise ValueError(says)
    except ValueError:
        log.exception("broke")
    assert sum(len(str(kept)) for kept in tail.kept()) < 20_000
    assert b"ValueError: first line" in shaped(tail.kept()[-1], tail.formatter).json
    assert b"the row" not in shaped(tail.kept()[-1], tail.formatter).json
    for number in range(5000):
        log.info("flood %d", number)
    kept = tail.kept()
    assert len(kept) == 1002
    assert [one.message for one in kept[:2]] == ["this must be seen", "broke"]


def test_a_logging_call_waits_for_nobody_and_costs_little(tail: LogTail) -> None:
    assert tail.lock is None
    records = [
        logging.LogRecord("flood", logging.INFO, __file__, 1, "line %d of %s", (number, "x"), None)
        for number in range(20_000)
    ]
    begun = time.thread_time()  # what it costs, whoever else has the machine meanwhile
    for record in records:
        tail.handle(record)
    assert (time.thread_time() - begun) / len(records) < 50e-6


async def test_the_last_lines_come_first_and_then_those_of_every_thread(
    log: Any, tail: LogTail
) -> None:
    log.info("before")
    async with aclosing(LogWatch(tail).read(Filter())) as lines:
        assert messages(await anext(lines)) == ["before"]
        thread = threading.Thread(target=log.info, args=("of a thread",), name="other")
        thread.start()
        thread.join()
        found = await _next(lines)
        assert json.loads(found.data)["lines"][0]["thread"] == "other"
        assert found.id


async def _next(lines: Any) -> Any:
    async for event in lines:
        if event is not None:
            return event


async def test_filters_are_by_level_and_by_text_in_message_and_fields(
    log: Any, tail: LogTail
) -> None:
    log.info("an Apple", extra={"facts": {"colour": "green"}})
    log.error("a pear")
    watch = LogWatch(tail)
    for wanted, shown in (
        (Filter(logging.ERROR), ["a pear"]),
        (Filter(0, "apple"), ["an Apple"]),
        (Filter(0, "colour=green"), ["an Apple"]),
        (Filter(logging.ERROR, "apple"), []),
    ):
        async with aclosing(watch.read(wanted)) as lines:
            event = await anext(lines)
            assert (messages(event) if event else []) == shown


async def test_who_comes_back_gets_only_what_is_new(log: Any, tail: LogTail) -> None:
    log.info("known")
    log.info("new")
    async with aclosing(LogWatch(tail).read(Filter(), after=1)) as lines:
        assert messages(await anext(lines)) == ["new"]


async def test_a_flood_is_cut_counted_and_costs_nobody_who_does_not_read(
    log: Any, tail: LogTail
) -> None:
    watch = LogWatch(tail)
    async with aclosing(watch.read(Filter())) as asleep, aclosing(watch.read(Filter())) as lines:
        assert await anext(asleep) is None and await anext(lines) is None
        shown = lost = 0
        for _ in range(12):
            for number in range(3000):
                log.info("flood %d", number)
            log.error("seen")
            event = await _next(lines)
            body = json.loads(event.data)
            assert len(body["lines"]) <= MOST_IN_A_LOOK
            assert body["lines"][-1]["message"] == "seen"
            shown, lost = shown + len(body["lines"]), lost + body["dropped"]
        assert shown + lost == 12 * 3001
        late = json.loads((await _next(asleep)).data)
        assert len(late["lines"]) <= 1000
        assert len(late["lines"]) + late["dropped"] == 12 * 3001
        held = sys.getsizeof(watch._lines) + sum(len(one.json) for one in watch._lines)
        assert held < 1_000_000
    await until(lambda: watch._task is not None and watch._task.done())


async def test_nobody_shapes_lines_while_nobody_watches(log: Any, tail: LogTail) -> None:
    watch = LogWatch(tail)
    async with aclosing(watch.read(Filter())) as lines:
        await anext(lines)
    assert watch.watchers == 0
    await until(lambda: watch._task is not None and watch._task.done())


async def test_the_monitor_samples_while_somebody_watches_and_keeps_what_it_took(
    worker: LocalWorker,
) -> None:
    monitor = Monitor()
    async with aclosing(monitor.read()) as events:
        history = await anext(events)
        assert (history.event, history.data) == ("history", [])
        sample = (await anext(events)).data
    for figure in ("cpu", "memory", "disk", "load_1", "net_in", "processes", "lag_ms", "threads"):
        assert isinstance(sample[figure], int | float), figure
    assert {"tasks", "runs", "readers", "commits", "streams", "limits"} <= set(sample)
    top = sample["processes_top"]
    assert top and set(top[0]) == {"pid", "name", "cpu", "memory"}
    json.dumps(sample)
    async with aclosing(monitor.read()) as events:
        assert [one["at"] for one in (await anext(events)).data] == [sample["at"]]


Users: Any = get_user_model()


async def signed_in(*, is_staff: bool) -> AsyncClient:
    user = await Users.objects.acreate(username=f"u{uuid4()}", is_staff=is_staff)
    client = AsyncClient(enforce_csrf_checks=True)
    await client.aforce_login(user)
    return client


@pytest.mark.django_db(transaction=True)
async def test_staff_alone_see_the_console(worker: LocalWorker) -> None:
    person, nobody = await signed_in(is_staff=False), AsyncClient()
    html = {"Accept": "text/html"}
    for route in console:
        address = reverse(f"holdfast:{route.name}")
        assert (await person.get(address, headers=html)).status_code == 404, address
        assert (await nobody.get(address)).status_code == 404, address
        sent_away: Any = await nobody.get(address, headers=html)
        assert sent_away.status_code == 302 and "sign-in" in sent_away["Location"]
    staff = await signed_in(is_staff=True)
    for name in ("logs", "system", "streams", "path"):
        page = await staff.get(reverse(f"holdfast:console_{name}"))
        assert page.status_code == 200 and page["Cache-Control"] == "no-store"
    await threads.close_connections()


@pytest.mark.django_db(transaction=True)
async def test_staff_write_a_line_with_its_control_characters_escaped(
    worker: LocalWorker, caplog: pytest.LogCaptureFixture
) -> None:
    staff, person = await signed_in(is_staff=True), await signed_in(is_staff=False)
    address = reverse("holdfast:console_logs")
    await staff.get(address)
    token = {"X-CSRFToken": staff.cookies["csrftoken"].value}

    async def write(client: AsyncClient, body: Any, headers: dict[str, str]) -> int:
        content = body if isinstance(body, str) else json.dumps(body)
        answer = await client.post(
            address, content, content_type="application/json", headers=headers
        )
        return answer.status_code

    assert await write(staff, {"message": "a\nfake\x1b[1m", "level": "ERROR"}, token) == 201
    written = [(one.levelname, one.getMessage()) for one in caplog.records]
    assert written.count(("ERROR", r"a\nfake\x1b[1m")) == 1
    assert not any("fake" in text for level, text in written if level != "ERROR")
    caplog.clear()
    for bad in (
        {"message": ""},
        {"message": "x" * 2001},
        {"message": "x", "level": "LOUD"},
        "{",
        [],
    ):
        assert await write(staff, bad, token) == 422, bad
    assert await write(staff, {"message": "x"}, {}) == 403
    assert await write(person, {"message": "x"}, {}) in (403, 404)
    assert not [one for one in caplog.records if one.name == "conversations.console.views"]
    await threads.close_connections()


@pytest.mark.django_db(transaction=True)
async def test_a_stream_ends_when_its_reader_is_staff_no_more(worker: LocalWorker) -> None:
    staff = await signed_in(is_staff=True)
    response: Any = await staff.get(reverse("holdfast:console_logs_stream"))
    assert response["Content-Type"].startswith("text/event-stream")
    await Users.objects.aupdate(is_staff=False)
    async with asyncio.timeout(20):
        async for _ in response:
            pass
    response.close()
    await threads.close_connections()
