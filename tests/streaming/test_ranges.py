"""Which bytes a request asks for; the cases of RFC 9110, section 14.1.2, for a file of 10000."""

import pytest

from streaming.ranges import Span, Unsatisfiable, may_resume, parse_range


@pytest.mark.parametrize(
    ("header", "span"),
    [
        ("bytes=0-499", Span(0, 500)),
        ("bytes=500-999", Span(500, 1000)),
        ("bytes=-500", Span(9500, 10000)),
        ("bytes=9500-", Span(9500, 10000)),
        ("bytes=0-0", Span(0, 1)),
        ("bytes=-1", Span(9999, 10000)),
        ("bytes=0-99999", Span(0, 10000)),
        ("bytes=-99999", Span(0, 10000)),
        ("Bytes= 5-9 ", Span(5, 10)),
    ],
)
def test_one_range_is_what_it_says(header, span):
    assert parse_range(header, 10000) == span


@pytest.mark.parametrize(
    "header",
    [
        *("", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=9-5", "bytes=1-2-3", "chars=0-5"),
        *("bytes=0-0,-1", "bytes=٣-٥", "bytes=-5-", "bytes=" + "9" * 5000 + "-", "bytes =0-5"),
    ],
)
def test_what_is_malformed_or_several_asks_for_the_whole(header):
    assert parse_range(header, 10000) is None


@pytest.mark.parametrize(
    ("header", "size"),
    [("bytes=10000-", 10000), ("bytes=10000-10001", 10000), ("bytes=-0", 10000), ("bytes=0-", 0)],
)
def test_what_lies_behind_the_end_cannot_be_had(header, size):
    with pytest.raises(Unsatisfiable):
        parse_range(header, size)


@pytest.mark.parametrize(
    ("if_range", "resumes"),
    [
        ("", True),
        ('"a"', True),
        ('"b"', False),
        ('W/"a"', False),
        ("Sun, 06 Nov 1994 08:49:37 GMT", True),
        ("Sun, 06 Nov 1994 08:49:38 GMT", False),
        ("nonsense", False),
    ],
)
def test_a_part_is_given_to_whom_it_fits(if_range, resumes):
    date = "Sun, 06 Nov 1994 08:49:37 GMT"
    assert may_resume(if_range, etag='"a"', last_modified=date) is resumes
    assert may_resume('W/"a"', etag='W/"a"') is False
    assert may_resume(date, etag='"a"') is False
