"""Write THIRD_PARTY.md: whose work this uses, and under which licence. Run by `make third-party`.

Versions come from the lock files, licences from the installed packages and, for browser code, from
the manifest that stands beside it.
"""

import json
import re
import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "THIRD_PARTY.md"

SECTIONS = {
    "requirements.txt": "To run",
    "requirements-model.txt": "The offline model",
    "requirements-observability.txt": "Traces and reports of errors, where wanted",
    "requirements-gunicorn.txt": "gunicorn, where wanted",
    "requirements-dev.txt": "To develop and test",
}
PIN = re.compile(r"^([A-Za-z0-9._-]+==[^\\]+?)\s*\\?$")
PLATFORMS = ("linux", "darwin")
# The oldest that is supported, whichever this is run with.
PYTHON = {"python_version": "3.11", "python_full_version": "3.11.7"}

# Packages whose metadata names no licence.
KNOWN_LICENCES = {"httpx-aiohttp": "BSD-3-Clause"}


def main() -> int:
    TARGET.write_text(render())
    return 0


def render() -> str:
    """Give the whole page."""
    lines = [
        "# Third-party work",
        "",
        "Written by `make third-party`; do not edit. Nothing of this is copied into the repository",
        "except the browser code, which stands there with its licence.",
    ]
    listed: set[str] = set()
    for lock, title in SECTIONS.items():
        lines += ["", f"## {title}", "", "| package | version | licence |", "|---|---|---|"]
        for name, version in pins(ROOT / lock):
            if name not in listed:
                listed.add(name)
                lines.append(f"| {name} | {version} | {licence(name)} |")
    lines += browser_code()
    return "\n".join(lines) + "\n"


def pins(lock: Path) -> list[tuple[str, str]]:
    """Read name and version of each pin that CPython installs on one of the platforms."""
    found = []
    for line in lock.read_text().splitlines():
        if match := PIN.match(line):
            requirement = Requirement(match[1])
            marker = requirement.marker
            if not marker or any(
                marker.evaluate({**PYTHON, "sys_platform": platform}) for platform in PLATFORMS
            ):
                version = str(requirement.specifier).removeprefix("==")
                found.append((requirement.name.lower(), version))
    return found


def licence(name: str) -> str:
    """Find the licence that a package declares: SPDX expression, else classifiers, else field."""
    if name in KNOWN_LICENCES:
        return KNOWN_LICENCES[name]
    try:
        about = metadata.metadata(name)
    except metadata.PackageNotFoundError:
        sys.exit(f"{name} is not installed here: name its licence in KNOWN_LICENCES")
    if expression := about.get("License-Expression"):
        return expression
    prefix = "License :: OSI Approved :: "
    classified = [c.removeprefix(prefix) for c in about.get_all("Classifier", []) if prefix in c]
    if classified:
        return ", ".join(classified)
    declared = (about.get("License") or "").strip()
    if declared and "\n" not in declared and len(declared) < 80:
        return declared
    sys.exit(f"{name} declares no licence: look it up and name it in KNOWN_LICENCES")


def browser_code() -> list[str]:
    """List vendored browser packages from each `vendor/manifest.json`."""
    rows = []
    for manifest in sorted(ROOT.glob("*/static/**/vendor/manifest.json")):
        for package in json.loads(manifest.read_text())["packages"]:
            rows.append(f"| {package['name']} | {package['version']} | {package['license']} |")
    if not rows:
        return []
    head = ["", "## In the browser", "", "| package | version | licence |", "|---|---|---|"]
    return [*head, *rows]


if __name__ == "__main__":
    sys.exit(main())
