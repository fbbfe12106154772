"""The JSON in an uploaded file, which may be a ZIP."""

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from conversations.exceptions import BadJson, TooLarge
from conversations.imports.items import items

_NAME = re.compile(r"(?:.*/)?(?:conversations[^/]*|holdfast[^/]*)\.jsonl?", re.IGNORECASE)
_ZIP = b"PK\x03\x04"
_END = b"PK\x05\x06"
_END_64 = b"PK\x06\x07"
_END_BYTES = 22
_COMMENT_BYTES = 65_535
_DIRECTORY_BYTES = 8 * 1024 * 1024
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError),
    OSError,  # of a place that is none in the file
)


def found_in(file: BinaryIO, *, most_bytes: int) -> Iterator[Any]:
    """Read what a file holds, one conversation at a time.

    Args:
        most_bytes: the bound on what a ZIP unpacks to.
    Raises:
        BadJson, TooLarge
    """
    file.seek(0)
    if file.read(len(_ZIP)) != _ZIP:
        file.seek(0)
        yield from items(file)
        return
    try:
        yield from _unpacked(file, most_bytes)
    except _BROKEN as error:
        raise BadJson from error


def _unpacked(file: BinaryIO, most_bytes: int) -> Iterator[Any]:
    _check_directory(file)
    with zipfile.ZipFile(file) as archive:
        entries = sorted(
            (one for one in archive.infolist() if _NAME.fullmatch(one.filename)),
            key=lambda one: one.filename,
        )
        if not entries:
            raise BadJson
        # zipfile unpacks no more than an entry says of itself; only these two methods do so in
        # small steps.
        if sum(one.file_size for one in entries) > most_bytes:
            raise TooLarge
        if any(one.compress_type not in _METHODS for one in entries):
            raise BadJson
        for entry in entries:
            with archive.open(entry) as opened:
                yield from items(cast(BinaryIO, opened))


def _check_directory(file: BinaryIO) -> None:
    """Refuse a directory so large that reading it would fill the memory."""
    size = file.seek(0, 2)
    file.seek(max(size - _END_BYTES - _COMMENT_BYTES, 0))
    tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or at + _END_BYTES > len(tail):
        raise BadJson
    (directory_bytes,) = struct.unpack_from("<L", tail, at + 12)
    if directory_bytes > _DIRECTORY_BYTES or tail[max(at - 20, 0) : at].startswith(_END_64):
        raise TooLarge
    file.seek(0)
