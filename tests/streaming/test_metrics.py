"""Figures: each counts what it says, with labels from closed lists."""

import asyncio
import time
from typing import Any
from uuid import uuid4

from streaming import gauges, takeover, threads
from streaming.cursor import Cursor
from streaming.metrics import count_end, registry
from streaming.outcome import COMPLETED_REASONS, FAILED_REASONS, INTERRUPTED_REASONS
from streaming.responses import EventStreamResponse, TextStreamResponse
from streaming.source import Usage
from streaming.subscription import subscribe
from streaming.takeover import Seen
from streaming.workers import LocalWorker
from tests.conftest import MakeWorker
from tests.streaming.production import Tap, begin, new_run, settled
from tests.waiting import until


def value(name: str, **labels: str) -> float:
    return registry.get_sample_value(f"holdfast_{name}", labels) or 0.0


async def test_a_run_is_counted_by_its_outcome_with_its_tokens_and_times(
    worker: LocalWorker,
) -> None:
    ended = {"outcome": "completed", "reason": "length"}
    names: list[tuple[str, dict[str, str]]] = [
        ("runs_started_total", {}),
        ("runs_ended_total", ended),
        ("first_token_seconds_count", {}),
        ("run_seconds_count", {}),
        ("tokens_total", {"direction": "input"}),
        ("tokens_total", {"direction": "output"}),
    ]
    before = [value(name, **labels) for name, labels in names]
    commits, characters = value("journal_commits_total"), value("journal_commit_characters_sum")
    tap = Tap()
    run = await begin(worker, tap)
    tap.say("Hold", "fast")
    await until(lambda: run.transcript.end == Cursor(1, 8))
    tap.give(Usage(30, 5))
    tap.finish("length")
    await settled(run)
    grown = [value(name, **labels) - was for (name, labels), was in zip(names, before, strict=True)]
    assert grown == [1, 1, 1, 1, 30, 5]
    assert value("journal_commits_total") > commits
    assert value("journal_commit_seconds_count") == value("journal_commits_total")
    assert value("journal_commit_characters_sum") == characters + 8
    assert value("settlement_seconds_count") > 0


async def test_readers_are_counted_by_transport_and_by_what_they_came_for(
    worker: LocalWorker,
) -> None:
    tap = Tap()
    run = await begin(worker, tap)
    tap.say("Holdfast")
    await until(lambda: run.transcript.end == Cursor(1, 8))
    fresh = value("subscriptions_total", transport="sse", resumed="no")
    resumed = value("subscriptions_total", transport="text", resumed="yes")
    first = await subscribe(worker, run.run_id)
    EventStreamResponse(first)
    second = await subscribe(worker, run.run_id, Cursor(1, 4))
    TextStreamResponse(second)
    assert value("subscriptions_total", transport="sse", resumed="no") == fresh + 1
    assert value("subscriptions_total", transport="text", resumed="yes") == resumed + 1
    first.close()
    second.close()
    tap.finish()
    await settled(run)


async def test_a_takeover_is_counted_with_the_runs_that_it_settled(make_worker: MakeWorker) -> None:
    takeovers, lost = value("takeovers_total"), {"outcome": "interrupted", "reason": "worker_lost"}
    before = value("runs_ended_total", **lost)
    dealt_with = value("lost_runs_total", became="interrupted")
    worker = await make_worker()
    dead = await threads.write(_worker_that_died)
    await threads.write(new_run, dead.worker_id)
    await worker._watch._declare_dead(dead)
    worker.orphans.look_soon()
    await until(lambda: value("runs_ended_total", **lost) == before + 1)
    assert value("takeovers_total") == takeovers + 1
    assert value("lost_runs_total", became="interrupted") == dealt_with + 1


def _worker_that_died() -> Seen:
    worker_id = uuid4()
    takeover.register(worker_id)
    return Seen(worker_id, 0)


async def test_a_loop_that_is_held_up_shows_in_its_lag(worker: LocalWorker) -> None:
    def late() -> float:
        on_time = value("loop_lag_seconds_bucket", le="0.25")
        return value("loop_lag_seconds_count") - on_time

    before = late()
    await asyncio.sleep(0)
    time.sleep(0.4)  # what nobody may do
    await until(lambda: late() > before)


async def test_gauges_are_read_when_somebody_asks(current_worker: LocalWorker) -> None:
    tap = Tap()
    run = await begin(current_worker, tap)
    reader = await subscribe(current_worker, run.run_id)
    reader.carried_by("socket")
    figures = dict(
        line.rsplit(" ", 1) for line in gauges.text().decode().splitlines() if line[0] != "#"
    )
    assert float(figures["holdfast_runs_live"]) == 1
    assert float(figures['holdfast_readers{transport="socket"}']) == 1
    assert float(figures['holdfast_readers{transport="sse"}']) == 0
    assert float(figures["holdfast_draining"]) == 0
    assert float(figures["process_resident_memory_bytes"]) > 1e6
    reader.close()
    tap.finish()
    await settled(run)


def test_what_an_upstream_makes_up_becomes_no_label() -> None:
    count_end("completed", "made-up-by-an-upstream")
    reasons = {
        sample.labels["reason"]
        for family in registry.collect()
        for sample in family.samples
        if family.name == "holdfast_runs_ended"
    }
    assert reasons <= {*COMPLETED_REASONS, *INTERRUPTED_REASONS, *FAILED_REASONS} | {
        "other",
        "user",
        "deleted",
    }
    assert "other" in reasons


def test_every_figure_has_a_name_and_a_help_as_prometheus_wants_them() -> None:
    families: list[Any] = [one for one in registry.collect() if one.name.startswith("holdfast_")]
    assert len(families) > 10
    for family in families:
        assert family.documentation.endswith("."), family.name
        if family.type == "histogram":
            assert family.name.endswith(("_seconds", "_characters")), family.name
