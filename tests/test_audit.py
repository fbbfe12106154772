"""`make audit` counts what was audited; where nothing was, it fails and says why."""

import json
from collections.abc import Sequence

from scripts.audit import LOCKS, ROOT, Done, Finding, browser_packages, python_packages, report

CLEAN = {"name": "django", "version": "5.2.19", "vulns": []}
WEAK = {"name": "rope", "version": "1.0", "vulns": [{"id": "PYSEC-2026-1"}]}
SKIPPED = {"name": "odd", "skip_reason": "not on the index"}


def printing(out: str, err: str = "", status: int = 0) -> object:
    def run(command: Sequence[str]) -> Done:
        return Done(status, out, err)

    return run


def python(*dependencies: object) -> Finding:
    told = json.dumps({"dependencies": dependencies})
    return python_packages("requirements.txt", printing(told))  # type: ignore[arg-type]


def test_what_was_audited_is_counted_and_what_was_skipped_is_not() -> None:
    assert python(CLEAN, SKIPPED).audited == 1
    assert report([python(CLEAN)])[1] == 0


def test_a_weakness_fails_and_is_named() -> None:
    lines, status = report([python(CLEAN, WEAK)])
    assert status == 1 and "  rope 1.0: PYSEC-2026-1" in lines


def test_nothing_audited_fails_and_says_that_the_service_is_out_of_reach() -> None:
    away = printing("", "requests.ConnectionError: no route", 1)
    for finding in (
        python_packages("requirements.txt", away),  # type: ignore[arg-type]
        browser_packages(away),  # type: ignore[arg-type]
        browser_packages(printing('{"error": {"summary": "ENOTFOUND"}}', "", 1)),  # type: ignore[arg-type]
        python(SKIPPED),
    ):
        assert finding.audited == 0
        lines, status = report([python(CLEAN), finding])
        assert status == 1
        assert any("out of reach" in line for line in lines)


def test_browser_packages_are_counted_by_the_lock() -> None:
    told = {
        "vulnerabilities": {"knot": {"severity": "high"}},
        "metadata": {"dependencies": {"total": 9}},
    }
    finding = browser_packages(printing(json.dumps(told), "", 1))  # type: ignore[arg-type]
    assert finding == Finding("package-lock.json", 9, ["knot: high"])
    assert report([finding])[1] == 1


def test_every_lock_is_audited() -> None:
    locks = {str(path.relative_to(ROOT)) for path in ROOT.glob("requirements*.txt")}
    assert set(LOCKS) == locks | {"benchmarks/requirements.txt"}
