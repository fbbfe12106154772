"""Messages of the WebSocket."""

import json
from typing import Any
from uuid import UUID

import pytest

from streaming import frames
from streaming.cursor import START, Cursor
from streaming.events import Delta, Ping, Started
from streaming.frames import BadFrame

RUN = UUID(int=7)


@pytest.mark.parametrize(
    ("message", "command"),
    [
        ({"type": "follow", "run_id": str(RUN), "after": "1-2"}, frames.Follow(RUN, "1-2")),
        ({"type": "follow", "run_id": str(RUN)}, frames.Follow(RUN, "0-0")),
        ({"type": "unfollow", "run_id": str(RUN)}, frames.Unfollow(RUN)),
        ({"type": "stop", "run_id": str(RUN), "ref": 4}, frames.Stop(RUN, 4)),
        ({"type": "ping", "ref": "x"}, frames.Hello("x")),
    ],
)
def test_commands_are_read(message: dict[str, Any], command: frames.Command) -> None:
    assert frames.decode_command(frames.decode_object(json.dumps(message))) == command


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "bad_json"),
        ("{", "bad_json"),
        ("\ud83d", "bad_json"),
        ("[]", "invalid_field"),
        ("null", "invalid_field"),
        ('{"run_id": 1}', "invalid_field"),
        ('{"type": 1}', "invalid_field"),
    ],
)
def test_what_is_no_message_is_refused(text: str, code: str) -> None:
    with pytest.raises(BadFrame) as caught:
        frames.decode_object(text)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "message",
    [
        {"type": "fly"},
        {"type": "follow"},
        {"type": "follow", "run_id": "x"},
        {"type": "follow", "run_id": str(RUN), "after": 5},
        {"type": "stop", "run_id": None},
    ],
)
def test_a_command_that_does_not_fit_says_where(message: dict[str, Any]) -> None:
    with pytest.raises(BadFrame) as caught:
        frames.decode_command(message)
    assert caught.value.code == "invalid_field"


def test_every_event_carries_its_run_and_the_readers_cursor() -> None:
    delta = Delta(1, "text", START, "Hi", Cursor(1, 2))
    for event in (Started(RUN, {}, START), delta, Ping("waiting", 0)):
        body = json.loads(frames.encode_event(RUN, event, Cursor(1, 2)))
        assert body["run_id"] == str(RUN)
        assert body["cursor"] == ("0-0" if body["type"] == "started" else "1-2")
