"""The WebSocket that carries any number of runs."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from autobahn.exception import Disconnected
from channels.testing import WebsocketCommunicator
from django.db import IntegrityError, OperationalError

from conversations.models import Conversation
from streaming import runner, threads
from streaming.consumers import IDLE, NOT_SIGNED_IN, RESTARTING, TOO_LARGE, RunConsumer
from streaming.models import Run
from streaming.workers import LocalWorker
from tests.conftest import SetStreaming
from tests.streaming.production import Tap, begin, settled
from tests.waiting import until


class Anyone(RunConsumer):
    """A socket for everybody who is let in."""

    frame_characters = 1000
    most_followed = 6
    let_in: bool | str = True
    secret: UUID | None = None

    async def authenticate(self) -> bool:
        if type(self).let_in == "broken":
            raise LookupError("planted for the test")
        return bool(type(self).let_in)

    async def may_follow(self, run_id: UUID) -> bool:
        return run_id != type(self).secret

    async def command(self, message: dict[str, Any]) -> None:
        if message["type"] == "break":
            raise RuntimeError("planted")
        if message["type"] == "mistake":
            raise IntegrityError("planted: another try would not help")
        if message["type"] == "lock":
            raise OperationalError("planted: the database is away")
        self.say({"type": "echo", "ref": message.get("ref")})


class Socket:
    """A client of one socket."""

    def __init__(self) -> None:
        self._communicator = WebsocketCommunicator(Anyone.as_asgi(), "/ws/")

    async def open(self) -> bool:
        accepted, _ = await self._communicator.connect(timeout=5)
        return bool(accepted)

    async def say(self, message: Any) -> None:
        text = message if isinstance(message, str) else json.dumps(message)
        await self._communicator.send_to(text_data=text)

    async def hear(self) -> dict[str, Any]:
        output = await self._communicator.receive_output(timeout=5)
        assert output["type"] == "websocket.send", output
        return dict(json.loads(output["text"]))

    async def hear_until(self, kind: str) -> list[dict[str, Any]]:
        heard = [await self.hear()]
        while heard[-1]["type"] != kind:
            heard.append(await self.hear())
        return heard

    async def close_code(self) -> int:
        while (output := await self._communicator.receive_output(timeout=5))["type"] == (
            "websocket.send"
        ):
            pass
        return int(output["code"])

    async def send_bytes(self, data: bytes) -> None:
        await self._communicator.send_to(bytes_data=data)

    async def leave(self) -> None:
        await self._communicator.disconnect(timeout=5)


Connect = Callable[[], Awaitable[Socket]]


@pytest.fixture
async def connect(current_worker: LocalWorker) -> AsyncIterator[Connect]:
    Anyone.let_in, Anyone.secret = True, None
    opened: list[Socket] = []

    async def make() -> Socket:
        socket = Socket()
        assert await socket.open()
        opened.append(socket)
        return socket

    yield make
    for socket in opened:
        await socket.leave()
    await until(lambda: current_worker.reader_count == 0)


def text_of(heard: list[dict[str, Any]], run_id: UUID) -> str:
    return "".join(e["text"] for e in heard if e["type"] == "delta" and e["run_id"] == str(run_id))


async def test_a_followed_run_comes_with_the_events_of_sse(
    current_worker: LocalWorker, connect: Connect
) -> None:
    tap = Tap()
    run = await begin(current_worker, tap)
    socket = await connect()
    await socket.say({"type": "follow", "run_id": str(run.run_id)})
    assert (await socket.hear())["type"] == "started"
    tap.say("Hold", "fast")
    tap.finish()
    heard = await socket.hear_until("ended")
    assert text_of(heard, run.run_id) == "Holdfast"
    assert heard[-1]["status"] == "completed"
    assert {event["run_id"] for event in heard} == {str(run.run_id)}
    assert heard[-1]["cursor"] == "1-8"


async def test_many_runs_share_one_socket(current_worker: LocalWorker, connect: Connect) -> None:
    taps = [Tap() for _ in range(5)]
    runs = [await begin(current_worker, tap) for tap in taps]
    socket = await connect()
    for run in runs:
        await socket.say({"type": "follow", "run_id": str(run.run_id)})
    for number, tap in enumerate(taps):
        tap.say(f"reply {number}")
        tap.finish()
    heard: list[dict[str, Any]] = []
    for _ in runs:
        heard += await socket.hear_until("ended")
    for number, run in enumerate(runs):
        assert text_of(heard, run.run_id) == f"reply {number}"


async def test_a_socket_follows_no_more_than_it_may_and_says_so(
    current_worker: LocalWorker, connect: Connect
) -> None:
    runs = [await begin(current_worker, Tap()) for _ in range(Anyone.most_followed + 1)]
    socket = await connect()
    first, *others, last = [str(run.run_id) for run in runs]
    for run_id in (first, *others, first):  # a followed one may be followed again
        await socket.say({"type": "follow", "run_id": run_id})
        assert (await socket.hear())["type"] == "started"
    await socket.say({"type": "follow", "run_id": last, "ref": 7})
    refused = await socket.hear()
    error = refused["error"]
    assert (refused["ref"], error["code"], error["run_id"]) == (7, "too_many_connections", last)
    assert error["retryable"] and error["retry_after_seconds"] > 0
    await socket.say({"type": "unfollow", "run_id": first})
    await socket.say({"type": "follow", "run_id": last})
    assert (await socket.hear())["type"] == "started"
    for run in runs:
        runner.stop(current_worker, run.run_id)


async def test_following_again_starts_at_the_cursor_named(
    current_worker: LocalWorker, connect: Connect
) -> None:
    tap = Tap()
    run = await begin(current_worker, tap)
    tap.say("Holdfast")
    socket = await connect()
    await socket.say({"type": "follow", "run_id": str(run.run_id)})
    assert text_of(await socket.hear_until("delta"), run.run_id) == "Holdfast"
    await socket.say({"type": "follow", "run_id": str(run.run_id), "after": "1-4"})
    heard = await socket.hear_until("delta")
    assert [(e["type"], e["cursor"]) for e in heard] == [("started", "1-4"), ("delta", "1-8")]
    assert heard[-1]["text"] == "fast"
    assert current_worker.reader_count == 1
    runner.stop(current_worker, run.run_id)


async def test_an_unfollowed_run_is_silent(current_worker: LocalWorker, connect: Connect) -> None:
    tap = Tap()
    run = await begin(current_worker, tap)
    socket = await connect()
    await socket.say({"type": "follow", "run_id": str(run.run_id)})
    await socket.hear_until("started")
    await socket.say({"type": "unfollow", "run_id": str(run.run_id)})
    await socket.say({"type": "ping", "ref": 1})
    assert await socket.hear() == {"type": "pong", "ref": 1}
    assert current_worker.reader_count == 0
    runner.stop(current_worker, run.run_id)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{", "bad_json"),
        ("[]", "invalid_field"),
        ({"type": "follow", "run_id": "x"}, "invalid_field"),
        ({"type": "follow", "run_id": str(uuid4())}, "not_found"),
        ({"type": "follow", "run_id": str(uuid4()), "after": "x"}, "bad_cursor"),
        ({"type": "echo", "ref": {}}, "invalid_field"),
        ({"type": "ping", "ref": True}, "invalid_field"),
        ({"type": "break"}, "internal"),
        ({"type": "mistake"}, "internal"),
        ({"type": "lock"}, "storage_unavailable"),
    ],
)
async def test_a_bad_frame_gets_an_error_and_the_socket_stays(
    connect: Connect, message: Any, code: str
) -> None:
    socket = await connect()
    await socket.say(message)
    heard = await socket.hear()
    assert (heard["type"], heard["error"]["code"]) == ("error", code)
    await socket.say({"type": "ping"})
    assert (await socket.hear())["type"] == "pong"


@pytest.mark.parametrize("ref", ["now", 7, 1.5, -2.0, 2**63])
@pytest.mark.parametrize("kind", ["ping", "echo", "follow"])
async def test_a_ref_may_be_any_text_or_number_and_comes_back(
    connect: Connect, kind: str, ref: Any
) -> None:
    socket = await connect()
    await socket.say({"type": kind, "ref": ref, "run_id": str(uuid4())})
    heard = await socket.hear()
    assert (heard["ref"], heard.get("error", {}).get("code")) in ((ref, None), (ref, "not_found"))


async def test_binary_frames_are_refused_politely(connect: Connect) -> None:
    socket = await connect()
    await socket.send_bytes(b"\x00\xff")
    assert (await socket.hear())["error"]["code"] == "bad_json"


async def test_a_run_of_somebody_else_does_not_exist(
    current_worker: LocalWorker, connect: Connect
) -> None:
    run = await begin(current_worker, Tap())
    Anyone.secret = run.run_id
    socket = await connect()
    for after in ("0-0", "1-999"):
        await socket.say({"type": "follow", "run_id": str(run.run_id), "after": after})
        assert (await socket.hear())["error"]["code"] == "not_found"
    runner.stop(current_worker, run.run_id)


async def test_a_message_over_the_limit_closes_the_socket(connect: Connect) -> None:
    socket = await connect()
    await socket.say("x" * 1001)
    assert await socket.close_code() == TOO_LARGE


async def test_whoever_is_not_let_in_is_told(connect: Connect) -> None:
    Anyone.let_in = False
    socket = await connect()
    assert await socket.close_code() == NOT_SIGNED_IN


async def test_whoever_is_signed_out_meanwhile_is_told(
    connect: Connect, set_streaming: SetStreaming
) -> None:
    set_streaming(CONNECTION_SECONDS=0.3)
    socket = await connect()
    Anyone.let_in = False
    assert await socket.close_code() == NOT_SIGNED_IN


async def test_a_socket_whose_sender_fails_is_closed(
    current_worker: LocalWorker, connect: Connect, set_streaming: SetStreaming
) -> None:
    set_streaming(CONNECTION_SECONDS=0.2)
    socket = await connect()
    Anyone.let_in = "broken"
    assert await socket.close_code() == RESTARTING


async def test_an_idle_socket_is_closed(connect: Connect, set_streaming: SetStreaming) -> None:
    set_streaming(IDLE_SECONDS=0.2)
    socket = await connect()
    assert await socket.close_code() == IDLE


async def test_a_socket_that_leaves_ends_nothing_but_its_readers(
    current_worker: LocalWorker, connect: Connect
) -> None:
    tap = Tap()
    run = await begin(current_worker, tap)
    socket = await connect()
    await socket.say({"type": "follow", "run_id": str(run.run_id)})
    await socket.hear_until("started")
    await socket.leave()
    assert current_worker.reader_count == 0
    tap.say("alone")
    tap.finish()
    assert (await settled(run)).content == "alone"


async def test_a_reply_that_vanishes_does_not_silence_the_socket(
    current_worker: LocalWorker, connect: Connect
) -> None:
    """Its run was lost to another worker, and its conversation is deleted."""
    taps = [Tap(), Tap()]
    gone, stays = [await begin(current_worker, tap) for tap in taps]
    socket = await connect()
    for run in (gone, stays):
        await socket.say({"type": "follow", "run_id": str(run.run_id)})
        await socket.hear_until("started")
    which = gone.about["conversation_id"]
    await threads.write(Conversation.objects.filter(id=which).delete)
    await threads.write(Run.objects.filter(id=gone.run_id).delete)
    gone.abandon()
    heard = await socket.hear_until("ended")
    assert (heard[-1]["run_id"], heard[-1]["reason"]) == (str(gone.run_id), "deleted")
    taps[1].say("still here")
    taps[1].finish()
    assert text_of(await socket.hear_until("ended"), stays.run_id) == "still here"


async def test_pings_of_a_run_come_over_the_socket(
    current_worker: LocalWorker, connect: Connect, set_streaming: SetStreaming
) -> None:
    set_streaming(HEARTBEAT_SECONDS=0.1)
    run = await begin(current_worker, Tap())
    socket = await connect()
    await socket.say({"type": "follow", "run_id": str(run.run_id)})
    heard = await socket.hear_until("ping")
    assert (heard[-1]["state"], heard[-1]["cursor"]) == ("waiting", "0-0")
    runner.stop(current_worker, run.run_id)


async def test_a_long_reply_does_not_hold_up_what_is_said(
    current_worker: LocalWorker, connect: Connect
) -> None:
    tap = Tap()
    run = await begin(current_worker, tap)
    tap.say("x" * 390_000)
    await until(lambda: str(run.transcript.end) == "1-390000")
    socket = await connect()
    await socket.say({"type": "follow", "run_id": str(run.run_id)})
    await socket.say({"type": "ping", "ref": "now"})
    heard = await socket.hear_until("pong")
    assert len(text_of(heard, run.run_id)) < 390_000
    runner.stop(current_worker, run.run_id)


async def test_a_socket_that_opens_during_the_drain_reads_to_the_end_and_is_sent_away(
    current_worker: LocalWorker, connect: Connect
) -> None:
    tap = Tap()
    run = await begin(current_worker, tap)
    current_worker.begin_drain(seconds=60)
    socket = await connect()
    await socket.say({"type": "follow", "run_id": str(run.run_id)})
    tap.say("Holdfast")
    tap.finish()
    assert text_of(await socket.hear_until("ended"), run.run_id) == "Holdfast"
    assert await socket.close_code() == RESTARTING


async def test_sockets_that_read_nothing_are_sent_away_when_the_drain_is_over(
    current_worker: LocalWorker, connect: Connect
) -> None:
    before = await connect()
    current_worker.begin_drain(seconds=0)
    assert await before.close_code() == RESTARTING
    await current_worker.drained()
    behind = await connect()
    assert await behind.close_code() == RESTARTING


GONE = pytest.mark.parametrize("gone", [OSError("uvicorn"), Disconnected("autobahn, under daphne")])


@GONE
async def test_sending_away_somebody_who_has_just_gone_is_no_error(
    current_worker: LocalWorker, caplog: pytest.LogCaptureFixture, gone: Exception
) -> None:
    heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    accepted, tried = asyncio.Event(), asyncio.Event()

    async def send(message: dict[str, Any]) -> None:
        accepted.set()
        if message["type"] == "websocket.close":
            tried.set()
            raise gone

    heard.put_nowait({"type": "websocket.connect"})
    scope = {"type": "websocket", "path": "/ws/", "headers": []}
    serving = asyncio.create_task(Anyone.as_asgi()(scope, heard.get, send))
    await accepted.wait()
    current_worker.begin_drain(seconds=0)
    await tried.wait()
    heard.put_nowait({"type": "websocket.disconnect", "code": 1006})
    await serving
    await current_worker.drained()
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@GONE
async def test_sending_to_somebody_who_has_just_gone_is_no_error(
    current_worker: LocalWorker, caplog: pytest.LogCaptureFixture, gone: Exception
) -> None:
    run = await begin(current_worker, Tap())
    heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    tried = asyncio.Event()

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "websocket.send":
            tried.set()
            raise gone

    heard.put_nowait({"type": "websocket.connect"})
    follow = {"type": "follow", "run_id": str(run.run_id)}
    heard.put_nowait({"type": "websocket.receive", "text": json.dumps(follow)})
    scope = {"type": "websocket", "path": "/ws/", "headers": []}
    serving = asyncio.create_task(Anyone.as_asgi()(scope, heard.get, send))
    await tried.wait()
    heard.put_nowait({"type": "websocket.disconnect", "code": 1000})
    await serving
    await until(lambda: current_worker.reader_count == 0)
    runner.stop(current_worker, run.run_id)
    await settled(run)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
