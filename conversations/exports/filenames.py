"""Names of files that people download. Pure."""

import re

_CHARACTERS = 80
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"/\\|?*\u200e\u200f\u202a-\u202e\u2066-\u2069]+')
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)", re.IGNORECASE)


def file_name(title: str, extension: str, *, default: str) -> str:
    """Make a file's name of a title: one that every system takes, and no path."""
    stem = " ".join(_FORBIDDEN.sub(" ", title).split())[:_CHARACTERS].strip(" .")
    if not stem or _RESERVED.match(stem):
        stem = f"{default} {stem}".strip()
    return f"{stem}.{extension}"
