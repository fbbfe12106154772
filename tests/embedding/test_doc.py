"""What `docs/embedding.md` shows is what the projects here do."""

import re
from pathlib import Path

import pytest

from tests.embedding.hosts import HOSTS
from tests.integration.servers import ROOT

DOCUMENT = (ROOT / "docs" / "embedding.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", DOCUMENT, flags=re.DOTALL | re.MULTILINE)
FILES = {path: path.read_text() for path in HOSTS.glob("*/*/*.py")}


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.strip().splitlines()[0][:40])
def test_every_block_is_cut_out_of_a_project_that_runs(block: str) -> None:
    assert any(block in text for text in FILES.values())


def test_every_block_says_that_it_is_python() -> None:
    assert DOCUMENT.count("\n```") == 2 * len(BLOCKS)


def test_files_that_are_said_to_be_whole_are() -> None:
    named = re.findall(r"whole of `(\w+)/(\w+\.py)`", DOCUMENT)
    assert len(named) == 5
    for project, name in named:
        assert FILES[HOSTS / project / project / name] in BLOCKS


def lines(path: Path) -> int:
    return sum(bool(line.strip()) for line in path.read_text().splitlines())


def test_a_provider_is_thirty_lines_and_a_recorder_twenty() -> None:
    assert lines(HOSTS / "shop" / "shop" / "provider.py") <= 30
    assert lines(HOSTS / "notes" / "notes" / "recorder.py") <= 20


def test_the_projects_here_know_nothing_of_ours() -> None:
    assert not [path for path, text in FILES.items() if "chatproject" in text]
