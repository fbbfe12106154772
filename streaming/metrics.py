"""Figures of this process for Prometheus, in a registry of our own.

What happens is counted where it happens, at most once for each commit, run or connection and never
for each token; how many there are of something is read when somebody asks (see `gauges.py`).
Labels have values from closed lists only.
"""

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

from streaming.outcome import (
    COMPLETED_REASONS,
    FAILED_REASONS,
    INTERRUPTED_REASONS,
    STOPPED_REASONS,
    Usage,
)

_REASONS = {*COMPLETED_REASONS, *STOPPED_REASONS, *INTERRUPTED_REASONS, *FAILED_REASONS}

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, which nobody reads
registry = CollectorRegistry()

runs_started = Counter(
    "holdfast_runs_started", "Runs that this process began to produce.", registry=registry
)
runs_ended = Counter(
    "holdfast_runs_ended",
    "Runs that this process settled, its own and those of lost workers.",
    ["outcome", "reason"],
    registry=registry,
)
tokens = Counter(
    "holdfast_tokens",
    "Tokens of runs of this process, as upstreams counted them.",
    ["direction"],
    registry=registry,
)
first_token_seconds = Histogram(
    "holdfast_first_token_seconds",
    "From the start of a run to its first text or reasoning.",
    buckets=(0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2, 3, 5, 8, 13, 20, 30, 60, 120),
    registry=registry,
)
run_seconds = Histogram(
    "holdfast_run_seconds",
    "From the start of a run to its settlement.",
    buckets=(0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 900),
    registry=registry,
)
commits = Counter(
    "holdfast_journal_commits", "Commits of text into the journal.", registry=registry
)
commit_seconds = Histogram(
    "holdfast_journal_commit_seconds",
    "How long a commit of the journal took.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 30),
    registry=registry,
)
commit_characters = Histogram(
    "holdfast_journal_commit_characters",
    "How much text a commit of the journal had, of all its runs.",
    buckets=(10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000, 1_000_000),
    registry=registry,
)
settle_seconds = Histogram(
    "holdfast_settlement_seconds",
    "How long a transaction took that settled runs.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 30),
    registry=registry,
)
storage_errors = Counter(
    "holdfast_storage_errors",
    "Times that the database did not take what it was given.",
    ["doing"],
    registry=registry,
)
subscriptions = Counter(
    "holdfast_subscriptions",
    "Readers that came, by transport, and whether they came for the rest of something.",
    ["transport", "resumed"],
    registry=registry,
)
takeovers = Counter(
    "holdfast_takeovers",
    "Other workers that this one declared dead.",
    registry=registry,
)
lost_runs = Counter(
    "holdfast_lost_runs",
    "Runs of lost workers that this one dealt with, by what became of them.",
    ["became"],
    registry=registry,
)
fenced = Counter(
    "holdfast_fenced",
    "Times that others declared this worker dead while it lived.",
    registry=registry,
)
wakes = Counter(
    "holdfast_wakes",
    "Messages between workers on the line that wakes them, but probes.",
    ["by", "fate"],
    registry=registry,
)
wake_seconds = Histogram(
    "holdfast_wake_seconds",
    "How long a probe took, from this worker to itself over the line that wakes workers.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 3),
    registry=registry,
)
follow_polls = Counter(
    "holdfast_follow_polls",
    "Statements that looked for text of other workers' runs.",
    registry=registry,
)
limits_hit = Counter(
    "holdfast_limits_hit", "Refusals because of a limit.", ["limit"], registry=registry
)
http_requests = Counter(
    "holdfast_http_requests",
    "Requests that were answered, by status; 499 where the client was gone before.",
    ["method", "status"],
    registry=registry,
)
http_seconds = Histogram(
    "holdfast_http_seconds",
    "Time to the whole answer, without streams.",
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30),
    registry=registry,
)
loop_lag_seconds = Histogram(
    "holdfast_loop_lag_seconds",
    "How late the event loop was for an appointment, twenty times a second.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
    registry=registry,
)


def count_end(status: str, reason: str, *, runs: int = 1) -> None:
    """Count runs that were settled; a reason that an upstream made up is `other`."""
    runs_ended.labels(status, reason if reason in _REASONS else "other").inc(runs)


def count_tokens(usage: Usage | None) -> None:
    """Count what one run took, where its upstream said so."""
    if usage is not None:
        tokens.labels("input").inc(usage.input_tokens)
        tokens.labels("output").inc(usage.output_tokens)
