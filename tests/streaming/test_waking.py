"""Workers wake each other: two workers of this process, whose polls come every 30 seconds."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone
from prometheus_client import Counter
from pytest_django import Settings

from streaming import metrics, runner, threads
from streaming.follower import Follower
from streaming.models import Run
from streaming.subscription import Subscription, subscribe
from streaming.waking import interest, messages
from streaming.waking.interest import Interest
from streaming.waking.lines import Kind, LineDown
from streaming.waking.link import Link
from streaming.waking.messages import EVERYBODY, Follow, Garbled, News, Notice, Probe, Stop
from streaming.waking.redis_line import RedisLine
from streaming.waking.waking import Waking, take_notices
from streaming.workers import LocalWorker
from tests.conftest import MakeWorker, SetStreaming
from tests.redis_server import RedisServer
from tests.streaming.behind import behind
from tests.streaming.production import Tap, begin, reading, reply, settled
from tests.waiting import until

LINES = {
    "sqlite": [pytest.param("redis", marks=pytest.mark.redis)],
    "postgresql": ["notify", pytest.param("redis", marks=pytest.mark.redis)],
}
SOON = 15.0
"""Seconds; a poll would come after thirty."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "line" in metafunc.fixturenames:
        metafunc.parametrize("line", LINES[metafunc.config.getoption("--database")], indirect=True)


@pytest.fixture
def line(request: pytest.FixtureRequest, settings: Settings, set_streaming: SetStreaming) -> Kind:
    """How the workers of a test wake each other."""
    kind: Kind = request.param
    settings.REDIS_URL = request.getfixturevalue("redis").url if kind == "redis" else ""
    set_streaming(POLL_INTERVAL_MS=30_000)
    return kind


@pytest.fixture
async def pair(
    line: Kind, make_worker: MakeWorker
) -> AsyncIterator[tuple[LocalWorker, LocalWorker]]:
    owner, other = await make_worker(), await make_worker()
    await until(lambda: owner.waking.proven and other.waking.proven)
    await until(lambda: owner._watch.knows(other.id) and other._watch.knows(owner.id))
    assert owner.waking.kind == line
    yield owner, other


async def test_a_reader_elsewhere_is_woken_for_text_and_end(
    pair: tuple[LocalWorker, LocalWorker],
) -> None:
    owner, other = pair
    tap = Tap()
    run = await begin(owner, tap)
    async with reading(other, run.run_id) as there:
        await until(lambda: there.started)
        for word in ("one ", "two ", "three"):
            tap.say(word)
            await until(lambda word=word: word in there.text, seconds=SOON)  # type: ignore[misc]
        tap.finish()
        async with asyncio.timeout(SOON):
            assert (await there.end()).status == "completed"
    assert there.text == "one two three"


async def test_nobody_speaks_where_nobody_reads_elsewhere(
    pair: tuple[LocalWorker, LocalWorker],
) -> None:
    owner, other = pair
    tap = Tap()
    run = await begin(owner, tap)
    before = _messages()
    async with reading(owner, run.run_id) as here:
        tap.say("a", "b", "c")
        await here.has("abc")
        tap.finish()
        await here.end()
    await settled(run)
    for one in (owner, other):
        await one.waking.flush()
    assert _messages() == before


async def test_a_stop_elsewhere_is_seen_by_the_owner_at_once(
    pair: tuple[LocalWorker, LocalWorker],
) -> None:
    owner, other = pair
    looked = asyncio.Event()
    owner.waking._on_stop = looked.set
    tap = Tap()
    run = await begin(owner, tap)
    async with reading(owner, run.run_id) as here:
        tap.say("kept")
        await here.has("kept")
        assert runner.stop(other, run.run_id) is False
        async with asyncio.timeout(SOON):
            await looked.wait()
        rows = Run.objects.filter(id=run.run_id)
        await threads.write(lambda: rows.update(stop_requested_at=timezone.now()))
        owner._look_for_stops()
        ended = await here.end()
    assert (ended.status, ended.reason) == ("stopped", "user")
    assert (await reply(run.run_id)).content == "kept"


async def test_what_came_before_the_owner_heard_of_the_reader_is_shown_at_once(
    pair: tuple[LocalWorker, LocalWorker],
) -> None:
    owner, other = pair
    tap = Tap()
    run = await begin(owner, tap)
    feed = await other.follower.follow(run.run_id)
    assert feed is not None
    async with reading(owner, run.run_id) as here:
        tap.say("in between")
        await here.has("in between")
    async with reading(other, run.run_id) as there:
        async with asyncio.timeout(SOON):
            await there.has("in between")
    runner.stop(owner, run.run_id)


async def test_a_cut_listener_listens_again(
    pair: tuple[LocalWorker, LocalWorker], request: pytest.FixtureRequest
) -> None:
    owner, other = pair
    tap = Tap()
    run = await begin(owner, tap)
    async with reading(other, run.run_id) as there:
        tap.say("before, ")
        await there.has("before, ")
        _cut(owner.waking.kind, request)
        await until(lambda: not other.waking.proven)
        await until(lambda: owner.waking.proven and other.waking.proven)
        await until(lambda: other.waking.covers(owner.id))
        tap.say("after")
        async with asyncio.timeout(SOON):
            await there.has("before, after")
        tap.finish()
        await there.end()


def _cut(kind: Kind, request: pytest.FixtureRequest) -> None:
    if kind == "redis":
        request.getfixturevalue("redis").ask("CLIENT", "KILL", "TYPE", "pubsub")
        return
    with behind() as database:
        assert database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'holdfast-waking'"
        )


async def test_who_is_woken_polls_seldom(
    pair: tuple[LocalWorker, LocalWorker], set_streaming: SetStreaming
) -> None:
    set_streaming(POLL_INTERVAL_MS=10)
    owner, other = pair
    run = await begin(owner, Tap())
    async with reading(other, run.run_id) as there:
        await until(lambda: there.started)
        await until(lambda: other.waking.covers(owner.id))
        before, later = _polls(), time.monotonic() + 0.5
        await until(lambda: time.monotonic() > later)
        assert _polls() - before <= 3
    runner.stop(owner, run.run_id)


async def test_one_connection_and_one_look_do_for_all_readers(
    pair: tuple[LocalWorker, LocalWorker], request: pytest.FixtureRequest
) -> None:
    owner, other = pair
    tap = Tap()
    run = await begin(owner, tap)
    readers = [await subscribe(other, run.run_id) for _ in range(50)]
    await until(lambda: other.waking.covers(owner.id))
    before = _polls()
    tap.say("for all")
    await until(lambda: all(_text(reader) == "for all" for reader in readers), seconds=SOON)
    assert _polls() - before <= 3
    if owner.waking.kind == "redis":
        assert request.getfixturevalue("redis").clients() <= 2 * 3
    else:
        with behind() as database:
            found = database.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'holdfast-waking'"
            )
        assert found == [(2,)]
    for reader in readers:
        reader.close()
    runner.stop(owner, run.run_id)


async def test_what_a_project_tells_reaches_the_other_workers_and_not_itself(
    pair: tuple[LocalWorker, LocalWorker],
) -> None:
    heard: list[Any] = []
    take_notices("test", heard.append)
    one, _ = pair
    one.waking.notice("test", {"a": 1})
    one.waking.notice("unheard of", None)
    one.waking.notice("test", "last")
    await until(lambda: heard == [{"a": 1}, "last"], seconds=SOON)


async def test_a_notice_that_nobody_understands_leaves_the_line_up(
    pair: tuple[LocalWorker, LocalWorker],
) -> None:
    heard: list[Any] = []
    take_notices("test", lambda about: heard.append(about["known"]))
    one, other = pair
    session = other.waking._link and other.waking._link._session
    one.waking.notice("test", "as another version says it")
    one.waking.notice("test", {"known": 1})
    await until(lambda: heard == [1], seconds=SOON)
    assert other.waking._link is not None and other.waking._link._session is session


STRANGE = [
    "text",
    "[" * 3000,
    f'["notice","{uuid4()}","test",' + "[" * 3000,
    '["other",[]]',
    messages.encode(Follow(uuid4(), [uuid4()] * 180)),
]


async def test_what_strangers_say_costs_neither_the_line_nor_memory_nor_more_than_one_line_of_log(
    pair: tuple[LocalWorker, LocalWorker],
    request: pytest.FixtureRequest,
    caplog: pytest.LogCaptureFixture,
) -> None:
    heard: list[Any] = []
    take_notices("test", heard.append)
    one, other = pair
    link = other.waking._link
    assert link is not None
    session, before = link._session, len(caplog.records)
    said = STRANGE * 5
    said += [messages.encode(Follow(uuid4(), [uuid4() for _ in range(150)])) for _ in range(20)]
    said += [messages.encode(News(uuid4(), [])) for _ in range(20)]
    _shout(other, said, request)
    one.waking.notice("test", "still there")
    await until(lambda: heard == ["still there"], seconds=SOON)
    assert link._session is session and other.waking.proven
    assert len(other.waking._interest) == 0
    assert other.waking._heard_at.keys() <= {one.id}
    assert len(caplog.records) - before <= 1, caplog.text


def _shout(worker: LocalWorker, said: Sequence[str], request: pytest.FixtureRequest) -> None:
    """Say something to a worker as anybody may who reaches the line."""
    if worker.waking.kind == "redis":
        redis = request.getfixturevalue("redis")
        channel = f"holdfast:0:{worker.id.hex}"
        for text in [*said, "x" * 70_000]:
            redis.ask("PUBLISH", channel, text)
        no_text = "return redis.call('PUBLISH', KEYS[1], string.char(255))"
        redis.ask("EVAL", no_text, "1", channel)
        return
    with behind() as database:
        for text in said:
            database.execute("SELECT pg_notify(%s, %s)", f"holdfast_{worker.id.hex}", text)


def test_runs_that_a_known_worker_made_up_are_remembered_up_to_a_bound() -> None:
    follower, held = uuid4(), uuid4()
    line = Swallowing()
    waking = Waking(
        uuid4(),
        line,
        knows=lambda worker: worker == follower,
        holds=lambda run: run == held,
        follows=Follower(),
        on_stop=lambda: None,
    )
    for _ in range(20):
        waking._take(Follow(follower, [uuid4() for _ in range(150)]))
    assert len(waking._interest) == interest.MOST_UNKNOWN
    waking._take(Follow(follower, [uuid4(), held]))
    assert len(waking._interest) == interest.MOST_UNKNOWN + 1
    assert waking._interest.followers(held, time.monotonic()) == [follower]


async def test_stops_that_come_together_are_looked_for_together(worker: LocalWorker) -> None:
    run = await begin(worker, Tap())
    for _ in range(100):
        worker.waking._take(Stop([run.run_id]))
    looks = [one for one in asyncio.all_tasks() if one.get_name() == "look for stops"]
    assert len(looks) == 1
    await looks[0]
    worker.waking._take(Stop([uuid4()]))
    assert worker._stop_look is looks[0], "it is none of ours"
    rows = Run.objects.filter(id=run.run_id)
    await threads.write(lambda: rows.update(stop_requested_at=timezone.now()))
    worker.waking._take(Stop([run.run_id]))
    assert (await settled(run)).status == "stopped"


@pytest.mark.redis
async def test_a_reply_goes_on_while_redis_is_restarted_flushed_and_away(
    redis: RedisServer, settings: Settings, set_streaming: SetStreaming, make_worker: MakeWorker
) -> None:
    settings.REDIS_URL = redis.url
    set_streaming(POLL_INTERVAL_MS=50)
    owner, other = await make_worker(), await make_worker()
    await until(lambda: owner.waking.proven and other.waking.proven)
    tap = Tap()
    run = await begin(owner, tap)
    async with reading(other, run.run_id) as there:
        tap.say("one ")
        await there.has("one ")
        redis.ask("FLUSHALL")
        tap.say("two ")
        await there.has("one two ")
        redis.stop()
        await until(lambda: not other.waking.proven)
        tap.say("three ")
        await there.has("one two three ")
        redis.start()
        await until(lambda: owner.waking.proven and other.waking.proven)
        tap.say("four")
        tap.finish()
        ended = await there.end()
    assert there.text == "one two three four"
    assert ended.status == "completed"


class Swallowing:
    """A line as through a pooler: it takes everything, and delivers nothing."""

    kind: Kind = "notify"
    largest_bytes = 100

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []
        self.begun = 0

    async def hear(self, addresses: Sequence[str]) -> AsyncGenerator[str]:
        self.begun += 1
        yield ""
        await asyncio.Event().wait()

    async def say(self, messages: Sequence[tuple[str, str]]) -> None:
        self.said += messages

    async def close(self) -> None:
        """Nothing to close."""


async def test_a_line_that_delivers_nothing_is_never_taken_for_proven() -> None:
    line = Swallowing()
    changes: list[bool] = []
    link = Link(
        line,
        lambda: ["me", EVERYBODY],
        on_message=lambda message: None,
        on_change=lambda: changes.append(link.proven),
        proof_seconds=0.05,
    )
    task = asyncio.create_task(link.keep_up())
    await until(lambda: line.begun >= 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not link.proven and changes == []
    assert {address for address, _ in line.said} == {"me"}


class Failing(Swallowing):
    """A line that fails once as no line should."""

    async def say(self, messages: Sequence[tuple[str, str]]) -> None:
        if not self.begun:
            self.begun += 1
            raise RuntimeError("planted for the test")
        await super().say(messages)


async def test_a_worker_that_could_not_say_something_says_the_next() -> None:
    line = Failing()
    waking = Waking(
        uuid4(),
        line,
        knows=lambda worker: True,
        holds=lambda run: False,
        follows=Follower(),
        on_stop=lambda: None,
    )
    assert waking._link is not None
    task = asyncio.create_task(waking._say_forever(waking._link))
    waking.notice("test", 1)
    await until(lambda: line.begun)
    waking.notice("test", 2)
    await until(lambda: line.said, seconds=SOON)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_redis_on_a_socket_of_this_host_that_is_away_is_a_line_that_is_down(
    tmp_path: Path,
) -> None:
    line = RedisLine(f"unix://{tmp_path}/redis.sock?db=3")
    with pytest.raises(LineDown):
        await line.say([("you", "something")])
    await line.close()


async def test_what_is_too_long_for_the_line_is_not_sent() -> None:
    line = Swallowing()
    link = Link(line, lambda: ["me"], on_message=lambda message: None, on_change=lambda: None)
    await link.say([("you", Notice(uuid4(), "topic", "x" * 100)), ("you", Stop([]))])
    assert [text for _, text in line.said] == [messages.encode(Stop([]))]


def test_every_message_fits_notify_and_comes_back_as_it_was() -> None:
    many = [uuid4() for _ in range(1000)]
    pieces = messages.chunks(many)
    assert [run for piece in pieces for run in piece] == many
    for message in (
        *(News(uuid4(), piece) for piece in pieces),
        *(Follow(uuid4(), piece) for piece in pieces),
        Probe("token"),
        Stop(many[:1]),
        Notice(uuid4(), "topic", {"any": ["thing"]}),
    ):
        text = messages.encode(message)
        assert len(text.encode()) < 7900
        assert messages.decode(text) == message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '["stop"]',
        '["other", []]',
        "\ud800",
        '["stop", [1]]',
        "[" * 100_000,
        messages.encode(Stop([uuid4()] * (messages.MOST_RUNS + 1))),
    ],
)
def test_what_is_no_message_is_refused(text: str) -> None:
    with pytest.raises(Garbled):
        messages.decode(text)


def test_interest_is_forgotten_unless_it_is_repeated() -> None:
    known, run, other_run, follower = Interest(), uuid4(), uuid4(), uuid4()
    assert known.note(follower, [run, other_run], 0.0) == [run, other_run]
    later = interest.FORGOTTEN_SECONDS - 1
    assert known.note(follower, [run], later) == []
    assert known.followers(run, later + 2) == [follower]
    assert known.followers(other_run, later + 2) == []
    known.forget_old(later + 2)
    assert run in known and other_run not in known
    known.forget_old(later + interest.FORGOTTEN_SECONDS)
    assert run not in known


def _messages() -> float:
    """How many messages went over lines in this process, but probes."""
    return _total(metrics.wakes)


def _polls() -> float:
    return _total(metrics.follow_polls)


def _total(counter: Counter) -> float:
    samples = [sample for family in counter.collect() for sample in family.samples]
    return sum(sample.value for sample in samples if sample.name.endswith("_total"))


def _text(reader: Subscription) -> str:
    return "".join(part.text for part in reader._feed.transcript.stored())
