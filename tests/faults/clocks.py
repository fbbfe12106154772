"""Clocks of the wall that are wrong, by libfaketime: a monotonic one stays as it is."""

from pathlib import Path


def wrong_clock(offset: Path) -> dict[str, str]:
    """Give the environment of a process whose clock is wrong by what a file says, as `+3600`.

    The file is looked at once a second.
    """
    return {
        "LD_PRELOAD": _library(),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_CACHE_DURATION": "1",
        "DONT_FAKE_MONOTONIC": "1",
        # Its own mending of waits with a timeout makes them spin here.
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
    }


def _library() -> str:
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    assert found, "libfaketime is missing: apt-get install libfaketime"
    return str(found[0])
