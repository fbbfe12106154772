"""Events as the JSON of both transports."""

from uuid import UUID

from streaming.cursor import START, Cursor
from streaming.events import Delta, Ended, Ping, Started, payload
from streaming.outcome import FAILED_REASONS, Usage, completed, failed, interrupted, stopped
from streaming.transcript import StoredPart, digest_of

RUN = UUID(int=7)


def test_started_is_flat_and_says_where_it_starts() -> None:
    event = Started(RUN, {"conversation_id": "c", "message_id": "m", "model": "x"}, Cursor(1, 5))
    assert payload(event) == {
        "type": "started",
        "run_id": RUN,
        "conversation_id": "c",
        "message_id": "m",
        "model": "x",
        "cursor": "1-5",
    }


def test_a_delta_says_what_is_before_it() -> None:
    event = Delta(2, "reasoning", Cursor(1, 3), "hm", Cursor(2, 2))
    assert payload(event)["at"] == "1-3"


def test_a_ping_is_rounded() -> None:
    assert payload(Ping("recovering", 3.14159)) == {
        "type": "ping",
        "state": "recovering",
        "idle_seconds": 3.1,
    }


def test_ended_describes_the_text_parts_alone() -> None:
    parts = [StoredPart("reasoning", "hmmm"), StoredPart("text", "é😀")]
    body = payload(Ended.of(completed("stop"), parts))
    assert (body["text_length"], body["text_sha256"]) == (2, digest_of("é😀"))
    assert body["cursor"] == "2-2"
    assert body["usage"] is None


def test_ended_of_nothing_is_at_the_start() -> None:
    assert Ended.of(stopped(), []).cursor == START


def test_outcomes_know_whether_asking_again_helps() -> None:
    assert interrupted("worker_lost").retryable
    assert not completed("stop").retryable
    assert not stopped().retryable
    assert {reason: failed(reason).retryable for reason in FAILED_REASONS} == FAILED_REASONS
    assert failed("upstream_refused", retryable=True).retryable
    assert Ended.of(completed("stop"), []).usage is None
    assert Usage(1, 2) == Usage(input_tokens=1, output_tokens=2)
