"""Ask the advisory services about everything that is locked: pip-audit and npm audit.

Nothing audited is a failure, also where a service is out of reach: silence is no good news.
"""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
LOCKS = (
    *("requirements.txt", "requirements-dev.txt", "requirements-model.txt"),
    *("requirements-observability.txt", "requirements-gunicorn.txt", "benchmarks/requirements.txt"),
)
_SECONDS = 300

Run = Callable[[Sequence[str]], "Done"]


class Done(NamedTuple):
    """What a tool printed."""

    status: int
    out: str
    err: str


class Finding(NamedTuple):
    """What one tool said of one lock file."""

    what: str
    audited: int
    weaknesses: list[str]
    trouble: str = ""
    """Why there is no answer."""


def run(command: Sequence[str]) -> Done:
    """Run a tool from the root of the project."""
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Done(1, "", f"{type(error).__name__}: {error}")
    return Done(done.returncode, done.stdout, done.stderr)


def python_packages(lock: str, run: Run = run) -> Finding:
    """Audit one file of requirements."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", lock, "--require-hashes"]
    done = run([*command, "--disable-pip", "--format", "json", "--progress-spinner", "off"])
    try:
        told = json.loads(done.out)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return Finding(lock, 0, [], _last_line(done))
    audited = [one for one in told if "vulns" in one]
    weak = [
        f"{one['name']} {one['version']}: {weakness['id']}"
        for one in audited
        for weakness in one["vulns"]
    ]
    skipped = [str(one.get("skip_reason")) for one in told if "vulns" not in one]
    return Finding(lock, len(audited), weak, skipped[0] if skipped and not audited else "")


def browser_packages(run: Run = run) -> Finding:
    """Audit package-lock.json: what is vendored comes from there."""
    lock = "package-lock.json"
    done = run(["npm", "audit", "--json"])
    try:
        told = json.loads(done.out)
        audited = int(told["metadata"]["dependencies"]["total"])
        weak = [f"{name}: {one['severity']}" for name, one in told["vulnerabilities"].items()]
    except (ValueError, KeyError, TypeError, AttributeError):
        said = re.search(r'"(?:message|summary)": "([^"]+)"', done.out)
        return Finding(lock, 0, [], said[1] if said else _last_line(done))
    return Finding(lock, audited, weak)


def report(findings: Sequence[Finding]) -> tuple[list[str], int]:
    """Say what was found, and the status to end with."""
    lines, status = [], 0
    for one in findings:
        lines.append(f"{one.what}: {one.audited} audited, {len(one.weaknesses)} weaknesses")
        lines += [f"  {weakness}" for weakness in one.weaknesses]
        if one.audited == 0:
            said = one.trouble or "nothing was listed"
            lines.append(f"  The advisory service is out of reach, or did not answer: {said}")
        if one.weaknesses or one.audited == 0:
            status = 1
    total = sum(one.audited for one in findings)
    lines.append(f"{total} packages audited" + ("" if status == 0 else ": this audit fails"))
    return lines, status


def _last_line(done: Done) -> str:
    lines = [line.strip() for line in (done.err or done.out).splitlines() if line.strip()]
    return lines[-1][:200] if lines else f"status {done.status}"


if __name__ == "__main__":
    found = [*(python_packages(lock) for lock in LOCKS), browser_packages()]
    said, code = report(found)
    print("\n".join(said))
    sys.exit(code)
