"""Events come out the same however the bytes are cut; named after the specification's examples."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversations.providers.sse_parser import COMMENT, EventTooLarge, ParsedEvent, SSEParser


def parse(*pieces: bytes, limit: int = 10_000) -> list[ParsedEvent]:
    parser = SSEParser(max_event_bytes=limit)
    events = [event for piece in pieces for event in parser.feed(piece)]
    tail = parser.finish()
    return events if tail is None else [*events, tail]


def said(*pieces: bytes) -> list[bytes]:
    return [event.data for event in parse(*pieces) if event.data]


def reference(stream: bytes) -> list[tuple[bytes, bytes]]:
    """The specification's algorithm on the whole stream, as plainly as it can be written."""
    events, data, name = [], [], b""
    for line in re.split(rb"\r\n|\n|\r", stream.removeprefix(b"\xef\xbb\xbf")) + [b""]:
        if line == b"":
            if b"\n".join(data):
                events.append((name, b"\n".join(data)))
            data, name = [], b""
            continue
        field, _, value = line.partition(b":")
        value = value[1:] if value[:1] == b" " else value
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value
    return events


def test_stock_ticker_of_the_specification():
    assert said(b"data: YHOO\ndata: +2\ndata: 10\n\n") == [b"YHOO\n+2\n10"]


def test_four_blocks_of_the_specification():
    stream = b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third\n"
    assert said(stream) == [b"first event", b"second event", b" third"]


def test_empty_data_is_no_event():
    assert parse(b"data\n\ndata\ndata\n\n") == [COMMENT, ParsedEvent(b"", b"\n")]


def test_space_behind_the_colon_is_optional():
    assert said(b"data:test\n\ndata: test\n\n") == [b"test", b"test"]


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_every_kind_of_line_end(end):
    assert said(b"data: a" + end + end + b"data: b" + end + end) == [b"a", b"b"]


def test_line_feed_that_arrives_late_ends_no_second_line():
    assert said(b"data: a\r", b"\ndata: b\r", b"\n\r", b"\n") == [b"a\nb"]


def test_byte_order_mark_split_over_pieces():
    assert said(b"\xef", b"\xbb", b"\xbfdata: a\n\n") == [b"a"]


def test_comment_is_seen_at_once():
    assert SSEParser(max_event_bytes=99).feed(b": keep-alive\n") == [COMMENT]


def test_name_belongs_to_its_event_alone():
    assert parse(b"event: error\ndata: a\n\ndata: b\n\n") == [
        ParsedEvent(b"error", b"a"),
        ParsedEvent(b"", b"b"),
    ]


def test_line_without_end_is_bounded():
    with pytest.raises(EventTooLarge):
        parse(*[b"x" * 10] * 11, limit=100)


def test_event_of_many_lines_is_bounded():
    with pytest.raises(EventTooLarge):
        parse(*[b"data: aaaa\n"] * 11, limit=100)


def test_events_do_not_add_up():
    assert len(parse(*[b"data: aaaa\n\n"] * 50, limit=20)) == 50


def test_comments_do_not_add_up():
    assert parse(*[b": ping\n"] * 50, limit=20) == [COMMENT] * 50


def test_what_is_no_event_stream_has_no_fields():
    parser = SSEParser(max_event_bytes=999)
    parser.feed(b"<!doctype html>\n<p>502</p>\n\n")
    parser.finish()
    assert parser.fields == 0


_TOKENS = st.sampled_from(
    [b"\r", b"\n", b"\r\n", b"data", b"event", b"id", b":", b" ", b"x", b"\xef\xbb\xbf", b"\xc3"]
    + [b"data: {}\n\n", "data: 𝕠é\r\n".encode(), b": c\n", b"\x00"]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(_TOKENS, max_size=40).map(b"".join), st.data())
def test_cuts_change_nothing(stream, data):
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=len(stream))))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    found = [(event.name, event.data) for event in parse(*pieces) if event.data]
    assert found == reference(stream)
    singly = [bytes([byte]) for byte in stream]
    assert parse(*pieces) == parse(*singly) == parse(stream)
