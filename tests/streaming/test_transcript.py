"""The text of a run: one entrance, frozen batches, slices."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.cursor import START, BadCursor, Cursor
from streaming.transcript import (
    Piece,
    StoredPart,
    Transcript,
    clean,
    digest_of,
    end_of,
    is_storable,
    text_of,
)


def committed(transcript: Transcript) -> str:
    transcript.freeze()
    transcript.commit()
    return "".join(part.text for part in transcript.stored())


def read(transcript: Transcript, cursor: Cursor = START, *, most: int = 65_536) -> str:
    found = ""
    while (piece := transcript.after(cursor, most=most)) is not None:
        assert piece.text
        found += piece.text
        cursor = Cursor(piece.part, piece.end)
    return found


# Cleaning


def test_surrogate_halves_split_over_two_deltas_are_joined() -> None:
    transcript = Transcript()
    transcript.append("text", "a\ud83d")
    transcript.append("text", "\ude00b")
    assert committed(transcript) == "a😀b"
    assert transcript.end == Cursor(1, 3)


def test_a_high_half_alone_in_its_delta_waits_for_the_other() -> None:
    transcript = Transcript()
    transcript.append("text", "\ud83d")
    assert not transcript.pending_characters
    transcript.append("text", "\ude00")
    assert committed(transcript) == "😀"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("\ud83dx", "\ufffdx"),
        ("\ude00x", "\ufffdx"),
        ("\ude00\ud83dx", "\ufffd\ufffdx"),
        ("a\x00b", "a\ufffdb"),
        ("\x00", "\ufffd"),
        ("\ud83d\ude00", "😀"),
        ("\ud83d\ud83d\ude00", "\ufffd😀"),
    ],
)
def test_lone_halves_and_nul_become_replacement_characters(given: str, kept: str) -> None:
    transcript = Transcript()
    transcript.append("text", given)
    assert committed(transcript) == kept == clean(given)


def test_a_half_before_another_kind_is_replaced_in_its_own_part() -> None:
    transcript = Transcript()
    transcript.append("reasoning", "a\ud83d")
    transcript.append("text", "\ude00b")
    committed(transcript)
    assert transcript.stored() == [
        StoredPart("reasoning", "a\ufffd"),
        StoredPart("text", "\ufffdb"),
    ]


def test_flush_gives_up_waiting_for_the_other_half() -> None:
    transcript = Transcript()
    transcript.append("text", "a\ud83d")
    transcript.flush()
    transcript.flush()
    assert committed(transcript) == "a\ufffd"


def test_an_empty_delta_opens_no_part() -> None:
    transcript = Transcript()
    transcript.append("reasoning", "")
    transcript.append("text", "x")
    committed(transcript)
    assert transcript.end == Cursor(1, 1)


@given(st.text(st.characters(categories=["Cs", "Lu", "Cc"])))
def test_clean_text_is_storable_and_storable_text_is_clean(text: str) -> None:
    assert is_storable(clean(text))
    if is_storable(text):
        assert clean(text) == text


# Frozen batches


def test_a_frozen_batch_is_the_same_until_its_commit() -> None:
    transcript = Transcript()
    transcript.append("text", "one ")
    transcript.append("text", "two")
    frozen = list(transcript.freeze())
    transcript.append("text", " three")
    assert transcript.freeze() == frozen == [Piece(1, "text", 0, "one two")]
    transcript.commit()
    assert transcript.freeze() == [Piece(1, "text", 7, " three")]


def test_text_is_not_readable_before_its_commit() -> None:
    transcript = Transcript()
    transcript.append("text", "secret")
    transcript.freeze()
    assert read(transcript) == ""
    assert transcript.end == START
    transcript.commit()
    assert read(transcript) == "secret"


def test_a_batch_is_merged_per_part() -> None:
    transcript = Transcript()
    for kind, text in [("reasoning", "a"), ("reasoning", "b"), ("text", "c"), ("text", "d")]:
        transcript.append(kind, text)
    assert transcript.freeze() == [Piece(1, "reasoning", 0, "ab"), Piece(2, "text", 0, "cd")]


def test_dropped_pending_text_leaves_no_gap() -> None:
    transcript = Transcript()
    transcript.append("text", "kept")
    committed(transcript)
    transcript.append("text", "frozen")
    transcript.freeze()
    transcript.append("reasoning", "dropped")
    transcript.drop_pending()
    assert (transcript.pending_characters, transcript.characters) == (0, 4)
    transcript.append("text", "!")
    assert committed(transcript) == "kept!"
    assert transcript.end == Cursor(1, 5)


def test_dropping_what_is_unfrozen_keeps_the_batch_in_flight() -> None:
    transcript = Transcript()
    transcript.append("text", "in flight")
    frozen = list(transcript.freeze())
    transcript.append("text", ", not yet")
    transcript.drop_unfrozen()
    assert transcript.freeze() == frozen
    transcript.commit()
    assert committed(transcript) == "in flight"


def test_pending_characters_count_what_waits() -> None:
    transcript = Transcript()
    transcript.append("text", "12345")
    assert transcript.pending_characters == 5
    transcript.freeze()
    transcript.append("text", "67")
    assert transcript.pending_characters == 2
    assert transcript.characters == 7


def test_a_reopened_reply_goes_on_behind_its_stored_parts() -> None:
    transcript = Transcript([StoredPart("reasoning", "hm"), StoredPart("text", "Hold")])
    assert (transcript.end, transcript.characters) == (Cursor(2, 4), 6)
    transcript.append("text", "fast")
    assert transcript.freeze() == [Piece(2, "text", 4, "fast")]


# What another worker committed


def test_overlap_of_another_workers_piece_is_cut() -> None:
    transcript = Transcript()
    assert transcript.extend(Piece(1, "text", 0, "abc"))
    assert transcript.extend(Piece(1, "text", 0, "abcdef"))
    assert transcript.extend(Piece(1, "text", 2, "cd"))
    assert transcript.extend(Piece(2, "reasoning", 0, "x"))
    assert transcript.stored() == [StoredPart("text", "abcdef"), StoredPart("reasoning", "x")]


@pytest.mark.parametrize(
    "piece", [Piece(1, "text", 4, "e"), Piece(2, "text", 1, "e"), Piece(3, "text", 0, "e")]
)
def test_a_gap_before_another_workers_piece_is_noticed(piece: Piece) -> None:
    transcript = Transcript()
    transcript.extend(Piece(1, "text", 0, "abc"))
    assert transcript.extend(piece) is False
    assert read(transcript) == "abc"


# Slicing


def test_a_slice_starts_behind_the_cursor_and_stays_in_its_part() -> None:
    transcript = Transcript([StoredPart("reasoning", "abc"), StoredPart("text", "defg")])
    assert transcript.after(START) == Piece(1, "reasoning", 0, "abc")
    assert transcript.after(Cursor(1, 1)) == Piece(1, "reasoning", 1, "bc")
    assert transcript.after(Cursor(1, 3)) == Piece(2, "text", 0, "defg")
    assert transcript.after(Cursor(2, 2), most=1) == Piece(2, "text", 2, "f")
    assert transcript.after(Cursor(2, 4)) is None


def test_offsets_count_code_points() -> None:
    transcript = Transcript([StoredPart("text", "ä😀e\u0301z")])
    assert transcript.end == Cursor(1, 5)
    assert read(transcript, Cursor(1, 2)) == "e\u0301z"


def test_slices_are_right_before_at_and_behind_the_merging_of_pieces() -> None:
    transcript = Transcript()
    said = ""
    for number in range(600):  # pieces are joined at 256
        word = f"{number} "
        transcript.append("text", word)
        said += word
        committed(transcript)
        if number in (254, 255, 256, 257, 511, 512, 599):
            for offset in range(0, len(said), 7):
                assert read(transcript, Cursor(1, offset), most=11) == said[offset:]
    assert len(transcript._parts[0]._texts) <= 256


def test_a_cursor_beyond_the_end_is_refused() -> None:
    transcript = Transcript([StoredPart("text", "abc")])
    for cursor in (START, Cursor(1, 0), Cursor(1, 3)):
        transcript.check(cursor)
    for cursor in (Cursor(1, 4), Cursor(2, 0)):
        with pytest.raises(BadCursor):
            transcript.check(cursor)


def test_a_cursor_into_text_is_taken_once_a_commit_was_tried_for_it() -> None:
    """It may be stored, though nobody has said so yet."""
    transcript = Transcript()
    transcript.append("text", "abc")
    with pytest.raises(BadCursor):
        transcript.check(Cursor(1, 1))
    transcript.freeze()
    transcript.check(Cursor(1, 1))
    with pytest.raises(BadCursor):
        transcript.check(Cursor(1, 4))
    assert transcript.after(Cursor(1, 1)) is None
    transcript.commit()
    piece = transcript.after(Cursor(1, 1))
    assert piece is not None and piece.text == "bc"


# Whatever happens, readers agree

_ALPHABET = st.sampled_from(["a", "é", "😀", "\x00", "\ud83d", "\ude00"])
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.sampled_from(["text", "reasoning"]), st.text(_ALPHABET)),
        st.tuples(st.just("freeze")),
        st.tuples(st.just("commit")),
        st.tuples(st.just("read"), st.integers(0, 3), st.integers(1, 5)),
    ),
    max_size=60,
)


@given(steps=_STEPS)
def test_readers_at_any_cursors_join_to_the_same_text(steps: list[Any]) -> None:
    transcript, follower = Transcript(), Transcript()
    readers = [(START, "")] * 4
    for step in steps:
        match step:
            case ("append", kind, text):
                transcript.append(kind, text)
            case ("freeze",):
                transcript.freeze()
            case ("commit",):
                for piece in transcript.freeze():
                    assert is_storable(piece.text)
                    assert follower.extend(piece)
                transcript.commit()
            case ("read", number, most):
                cursor, found = readers[number]
                piece = transcript.after(cursor, most=most)
                if piece is not None:
                    assert Cursor(piece.part, piece.start) >= cursor
                    readers[number] = (Cursor(piece.part, piece.end), found + piece.text)
    transcript.flush()
    for _ in ("the batch in flight", "what came after it"):
        for piece in transcript.freeze():
            assert follower.extend(piece)
        whole = committed(transcript)
    assert follower.stored() == transcript.stored()
    assert transcript.characters == len(whole)
    for cursor, found in readers:
        assert found + read(transcript, cursor) == whole
    assert end_of(transcript.stored()) == transcript.end


@given(
    deltas=st.lists(st.text(st.sampled_from(["a", "\ud83d", "\ude00", "😀"]), max_size=4)),
)
def test_cutting_a_text_into_deltas_does_not_change_it(deltas: list[str]) -> None:
    transcript = Transcript()
    for delta in deltas:
        transcript.append("text", delta)
    transcript.flush()
    assert committed(transcript) == clean("".join(deltas))


def test_the_digest_is_of_the_text_parts_alone() -> None:
    parts = [StoredPart("reasoning", "hm"), StoredPart("text", "a"), StoredPart("text", "b")]
    assert text_of(parts) == "ab"
    assert digest_of("ab") == "fb8e20fc2e4c3f248c60c39bd652f3c1347298bb977b8b4d5903b85055620603"
    assert end_of([]) == START
