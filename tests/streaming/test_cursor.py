"""The cursor's form and order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.cursor import START, BadCursor, Cursor


@given(part=st.integers(1, 999_999), offset=st.integers(0, 9_999_999_999))
def test_what_is_written_is_read_back(part: int, offset: int) -> None:
    cursor = Cursor(part, offset)
    assert Cursor.parse(str(cursor)) == cursor


def test_the_start_is_written_0_0() -> None:
    assert str(START) == "0-0"
    assert Cursor.parse("0-0") == START


def test_an_earlier_place_is_smaller() -> None:
    assert START < Cursor(1, 0) < Cursor(1, 9) < Cursor(1, 10) < Cursor(2, 0)


@pytest.mark.parametrize(
    "text",
    ["", "1", "-", "1-", "-1", "1-2-3", "01-2", "1-02", "0-1", "+1-2", "1-+2", "1 -2", " 1-2",
     "1-2\n", "a-b", "1.0-2", "١-٢", "1000000-0", "1-10000000000", "1-2.end", "\x001-2"],
)  # fmt: skip
def test_any_other_form_is_refused(text: str) -> None:
    with pytest.raises(BadCursor):
        Cursor.parse(text)


def test_a_refusal_does_not_repeat_a_long_text() -> None:
    with pytest.raises(BadCursor) as caught:
        Cursor.parse("x" * 10_000)
    assert len(str(caught.value)) < 100
