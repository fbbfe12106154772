"""Events as Server-Sent Events: read back by the rules of the specification."""

import json
import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming import sse
from streaming.cursor import START, BadCursor, Cursor
from streaming.events import Delta, Ended, Event, Ping, Started, payload
from streaming.outcome import Usage

RUN = UUID(int=7)
DELTA = Delta(1, "text", START, "Hello", Cursor(1, 5))
ENDED = Ended("completed", "stop", False, Usage(3, 5), 5, "ab", Cursor(1, 5))


def parse(stream: bytes) -> list[dict[str, str]]:
    """Interpret an event stream: HTML specification, section 9.2.6."""
    events: list[dict[str, str]] = []
    last_id, event, data = "", "", list[str]()
    for line in re.split("\r\n|\n|\r", stream.decode()):
        if not line:
            if data:
                events.append({"id": last_id, "event": event, "data": "\n".join(data)})
            event, data = "", []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "id":
                last_id = value
            case "event":
                event = value
            case "data":
                data.append(value)
    return events


def test_the_spec_s_example_stream_is_read_by_this_parser() -> None:
    stream = (
        b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third\n\n"
    )
    found = parse(stream)
    assert [event["data"] for event in found] == ["first event", "second event", " third"]
    assert [event["id"] for event in found] == ["1", "", ""]


def test_the_first_frame_says_when_to_come_back() -> None:
    assert sse.OPENING == b"retry: 2000\n\n"


def test_the_id_of_a_delta_is_the_cursor_after_it() -> None:
    assert sse.encode(DELTA).startswith(b"id: 1-5\nevent: delta\ndata: {")
    [event] = parse(sse.encode(DELTA))
    assert json.loads(event["data"]) == {
        "type": "delta",
        "part": 1,
        "kind": "text",
        "at": "0-0",
        "text": "Hello",
    }


def test_the_id_of_the_end_says_so() -> None:
    [event] = parse(sse.encode(ENDED))
    assert (event["id"], event["event"]) == ("1-5.end", "ended")
    assert json.loads(event["data"])["usage"] == {"input_tokens": 3, "output_tokens": 5}


@pytest.mark.parametrize(
    "event", [Started(RUN, {"model": "m"}, Cursor(1, 5)), Ping("waiting", 1.26)]
)
def test_started_and_ping_never_carry_an_id(event: Event) -> None:
    assert b"id:" not in sse.encode(event).partition(b"data:")[0]
    stream = sse.encode(DELTA) + sse.encode(event)
    assert [e["id"] for e in parse(stream)] == ["1-5", "1-5"]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_survives_whatever_line_ends_it_has(text: str) -> None:
    [event] = parse(sse.encode(Delta(1, "text", START, text, Cursor(1, len(text)))))
    assert json.loads(event["data"])["text"] == text


@given(st.text("\r\n\u2028\u2029\x85\x0b\x0c:"))
def test_a_frame_has_no_line_end_inside_its_data(text: str) -> None:
    frame = sse.encode(Delta(1, "text", START, text, Cursor(1, len(text))))
    assert frame.count(b"\n") == 4 and b"\r" not in frame


def test_last_ids_are_read() -> None:
    assert sse.parse_last_id("") == (START, False)
    assert sse.parse_last_id("1-5") == (Cursor(1, 5), False)
    assert sse.parse_last_id("1-5.end") == (Cursor(1, 5), True)


@pytest.mark.parametrize("text", ["x", "1-5.END", ".end", "1-5.end.end", "1-5 .end", "0-3.end"])
def test_bad_last_ids_are_refused(text: str) -> None:
    with pytest.raises(BadCursor):
        sse.parse_last_id(text)


@given(st.text(), st.sampled_from(["text", "reasoning"]), st.integers(1, 9), st.integers(0, 999))
def test_a_delta_says_on_the_wire_what_it_says_as_a_value(
    text: str, kind: str, part: int, offset: int
) -> None:
    text = text.encode(errors="replace").decode()
    event = Delta(part, kind, Cursor(part, offset), text, Cursor(part, offset + len(text)))
    [found] = parse(sse.encode(event))
    assert json.loads(found["data"]) == payload(event)
    assert (found["id"], found["event"]) == (str(event.cursor), "delta")
