"""What is known of the request, the socket or the run at hand: for lines of the log."""

from contextvars import ContextVar
from typing import Any

_facts: ContextVar[dict[str, Any] | None] = ContextVar("facts", default=None)


def begin(**facts: Any) -> dict[str, Any]:
    """Begin anew in this context, and return what `note` will add to."""
    _facts.set(facts)
    return facts


def note(**facts: Any) -> None:
    """Add to what is known; nothing where nobody began.

    Tasks and threads that were started meanwhile share it: a view tells whoever awaits it.
    """
    known = _facts.get()
    if known is not None:
        known.update(facts)


def known() -> dict[str, Any]:
    """Return what is known here."""
    return _facts.get() or {}
