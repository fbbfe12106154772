"""THIRD_PARTY.md speaks of what is locked."""

from scripts.third_party import ROOT, SECTIONS, pins


def test_every_locked_package_stands_in_the_list_with_its_version() -> None:
    page = (ROOT / "THIRD_PARTY.md").read_text()
    locked = [pin for lock in SECTIONS for pin in pins(ROOT / lock)]
    missing = [
        f"{name} {version}" for name, version in locked if f"| {name} | {version} |" not in page
    ]
    assert not missing, "run make third-party"
