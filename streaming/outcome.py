"""How a run ends: exactly one outcome, with a reason from a closed list."""

from typing import Literal

import msgspec

Status = Literal["completed", "stopped", "interrupted", "failed"]

COMPLETED_REASONS = ("stop", "length", "content_filter", "tool_calls")
STOPPED_REASONS = ("user", "deleted")
INTERRUPTED_REASONS = ("client_disconnected", "shutdown", "worker_lost")
FAILED_REASONS = {
    "upstream_unreachable": True,
    "upstream_refused": False,
    "upstream_rate_limited": True,
    "upstream_error": True,
    "upstream_reset": True,
    "upstream_incomplete": True,
    "upstream_bad_data": True,
    "no_progress": True,
    "deadline": True,
    "storage_unavailable": True,
    "internal": True,
}
"""Each reason of a failure, and whether asking again may help."""


class Usage(msgspec.Struct, frozen=True):
    """Tokens as the upstream counted them."""

    input_tokens: int
    output_tokens: int


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """What earlier runs of a reply took: it was continued, and its figures are those of all."""

    usage: Usage | None = None
    first_token_ms: int | None = None
    duration_ms: int = 0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The end of a run."""

    status: Status
    reason: str
    retryable: bool = False
    usage: Usage | None = None
    first_token_ms: int | None = None
    """Milliseconds from the start of the reply's first run to its first text or reasoning."""
    duration_ms: int | None = None
    """Milliseconds that its runs took."""


def completed(reason: str) -> Outcome:
    """Outcome of a source that finished by itself."""
    return Outcome(status="completed", reason=reason)


def stopped(reason: str = "user") -> Outcome:
    """Outcome of a run that a person ended."""
    return Outcome(status="stopped", reason=reason)


def interrupted(reason: str) -> Outcome:
    """Outcome of a run that policy, a shutdown or a lost worker ended."""
    return Outcome(status="interrupted", reason=reason, retryable=True)


def failed(reason: str, *, retryable: bool | None = None) -> Outcome:
    """Outcome of a run whose upstream, limits or storage failed."""
    if retryable is None:
        retryable = FAILED_REASONS[reason]
    return Outcome(status="failed", reason=reason, retryable=retryable)
