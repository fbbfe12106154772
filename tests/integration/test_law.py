"""The law itself: it finds what is lost, what comes twice, and what is told wrongly."""

from typing import Any

import pytest

from tests.integration.law import breaches_of_text
from tests.integration.ledger import Json, Ledger, sha256
from tests.integration.plan import draw

SAID = "0 rope 1 sea 2 knot 3 line "


def message(text: str, status: str = "completed") -> Json:
    parts = [{"kind": "text", "text": text}] if text else []
    return {"id": "a", "status": status, "reason": "stop", "content": text, "parts": parts}


def ledger(*texts: str, **ended: Any) -> Ledger:
    """What a reader of these deltas has; `ended` is told last, if given."""
    found = Ledger("a")
    found.record({"type": "started", "cursor": "0-0"})
    for text in texts:
        found.record({"type": "delta", "part": 1, "kind": "text", "at": found.cursor, "text": text})
    if ended:
        found.record({"type": "ended", "cursor": found.cursor} | ended)
    return found


def kinds(*found: Any) -> list[str]:
    return [breach.kind for breach in found]


def test_a_prefix_of_what_is_stored_is_lawful() -> None:
    assert not ledger("0 rope ", "1 sea ").breaches(message(SAID, "interrupted"))


def test_a_true_end_is_lawful() -> None:
    told = {"status": "completed", "reason": "stop", "text_length": len(SAID)}
    assert not ledger(SAID, text_sha256=sha256(SAID), **told).breaches(message(SAID))


def test_text_that_a_reader_saw_and_that_is_not_stored_is_lost() -> None:
    assert kinds(*ledger("0 rope ", "1 sea ").breaches(message("0 rope "))) == ["lost"]
    assert kinds(*ledger("0 rope ", "1 sea ").breaches(message("0 rope 2 knot "))) == ["lost"]


@pytest.mark.parametrize(("at", "kind"), [("1-3", "doubled"), ("1-9", "lost")])
def test_a_delta_that_does_not_follow_the_one_before_it_is_found(at: str, kind: str) -> None:
    found = ledger("0 rope ")
    found.record({"type": "delta", "part": 1, "kind": "text", "at": at, "text": "x"})
    assert kinds(*found.faults) == [kind]


@pytest.mark.parametrize(
    ("stored", "status", "expected"),
    [
        (SAID, "completed", []),
        ("0 rope 1 ", "interrupted", []),
        ("0 rope 1 ", "completed", ["lost"]),
        ("0 rope 2 knot 3 line ", "interrupted", ["lost"]),
        ("0 rope 1 sea 1 sea 2 knot 3 line ", "completed", ["doubled"]),
        (SAID + SAID, "completed", ["doubled"]),
    ],
)
def test_the_stored_text_is_what_the_source_said(
    stored: str, status: str, expected: list[str]
) -> None:
    assert kinds(*breaches_of_text(message(stored, status), SAID)) == expected


def test_a_seed_always_draws_the_same_script() -> None:
    assert draw(17) == draw(17)
    assert draw(17) != draw(18)
