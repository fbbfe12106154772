"""The dashboard and the documents name the figures that there are, and no others."""

import json
import re
from pathlib import Path

from streaming import gauges
from streaming.metrics import registry
from streaming.workers import LocalWorker

ROOT = Path(__file__).resolve().parent.parent
NAME = re.compile(r"\b(holdfast_[a-z_]+|process_[a-z_]+)\b")
ON_POSTGRESQL = {f"holdfast_db_pool_{what}" for what in ("size", "available", "waiting")}
SUFFIXES = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"], "gauge": [""]}


def series() -> set[str]:
    """Name every series, whether or not it was ever counted."""
    assert b"holdfast_runs_live" in gauges.text()
    return {
        family.name + suffix for family in registry.collect() for suffix in SUFFIXES[family.type]
    } | ON_POSTGRESQL


async def test_every_figure_on_the_dashboard_exists(current_worker: LocalWorker) -> None:
    board = json.loads((ROOT / "deploy" / "grafana" / "holdfast.json").read_text())
    queries = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    assert len(queries) > 30
    there = series()
    for query in queries:
        names = NAME.findall(query)
        assert names and set(names) <= there, query


async def test_every_figure_is_documented_and_no_other(current_worker: LocalWorker) -> None:
    text = (ROOT / "docs" / "operating.md").read_text()
    found = {name for name in NAME.findall(text) if name.startswith("holdfast_")}
    documented = {name.removesuffix("_bucket") for name in found}
    ours = {one.removesuffix("_bucket") for one in series() if not one.endswith(("_sum", "_count"))}
    assert documented == {name for name in ours if name.startswith("holdfast_")}
