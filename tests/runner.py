"""`manage.py test` runs the same suite as `pytest`."""

from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest


class PytestRunner:
    """A Django test runner that hands over to pytest; named in `settings.TEST_RUNNER`.

    Labels may be paths or dotted names, as Django users write them: `tests.streaming.test_sse`.
    """

    def __init__(
        self,
        *,
        verbosity: int = 1,
        failfast: bool = False,
        keepdb: bool = False,
        keywords: str = "",
        **options: Any,
    ) -> None:
        self.arguments: list[str] = []
        if verbosity != 1:
            self.arguments.append("--quiet" if verbosity == 0 else "--verbose")
        if failfast:
            self.arguments.append("--exitfirst")
        if keepdb:
            self.arguments.append("--reuse-db")
        if keywords:
            self.arguments += ["-k", keywords]

    @classmethod
    def add_arguments(cls, parser: ArgumentParser) -> None:
        parser.add_argument("--keepdb", action="store_true", help="Keep the test database.")
        parser.add_argument("-k", dest="keywords", default="", help="As pytest -k.")

    def run_tests(self, test_labels: Sequence[str], **options: Any) -> int:
        return int(pytest.main([*self.arguments, *map(_path, test_labels)]))


def _path(label: str) -> str:
    """Turn a dotted label into a path, with `::` before a class or function; keep paths."""
    if "/" in label or "::" in label or Path(label).exists():
        return label
    names = label.split(".")
    for count in range(len(names), 0, -1):
        module = Path(*names[:count])
        for path in (module.with_suffix(".py"), module):
            if path.exists():
                return "::".join([str(path), *names[count:]])
    return label
