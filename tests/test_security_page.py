"""SECURITY.md names a test for each threat, and each of them exists."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "SECURITY.md").read_text()


def rows() -> list[list[str]]:
    lines = PAGE.splitlines()
    begin = lines.index("| threat | number | control | tests |") + 2
    found = []
    for line in lines[begin:]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return found


def promises_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in tree.body if isinstance(node, functions)}


def test_every_threat_has_a_number_a_control_and_a_test_that_exists() -> None:
    table = rows()
    assert len(table) > 25
    for threat, number, control, tests in table:
        assert re.search(r"ASVS \d|LLM\d\d", number), threat
        assert control
        named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", tests)
        assert named and tests.count("`") == 2 * len(named), threat
        for path, name in named:
            assert (ROOT / path).exists(), path
            assert name in promises_of(ROOT / path), f"{path} has no {name}"


def test_no_test_is_named_elsewhere_that_does_not_exist() -> None:
    everywhere = set(re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", PAGE))
    in_table = {
        found for row in rows() for found in re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", row[3])
    }
    assert everywhere == in_table
