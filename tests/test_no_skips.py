"""The suite leaves nothing out silently."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def _run(tmp_path: Path, body: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    test = tmp_path / "test_sample.py"
    test.write_text(body)
    command = [sys.executable, "-m", "pytest", "-p", "no:django", "-p", "tests.no_skips"]
    return subprocess.run(
        [*command, "-c", str(tmp_path / "pytest.ini"), str(test)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_skipped_test_fails_the_run(tmp_path: Path) -> None:
    body = "import pytest\ndef test_kept(): pass\ndef test_left_out(): pytest.skip('no')\n"
    result = _run(tmp_path, body)
    assert result.returncode == 1
    assert "1 skipped: here a skip is a failure" in result.stdout


def test_a_run_without_skips_passes(tmp_path: Path) -> None:
    assert _run(tmp_path, "def test_kept(): pass\n").returncode == 0
