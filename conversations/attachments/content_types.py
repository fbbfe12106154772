"""What an uploaded file is, by its content alone: an image that every browser shows, or text."""

import codecs
import unicodedata
from pathlib import PurePosixPath
from typing import BinaryIO

from django.utils.translation import gettext as _
from PIL import Image, UnidentifiedImageError

from conversations.exceptions import TooLarge, UnsupportedType

TEXT = "text/plain"
DAMAGED = (OSError, SyntaxError, ValueError, EOFError, LookupError, OverflowError)
"""What Pillow's plugins raise for files that begin like an image and are none."""
MOST_PIXELS = 50_000_000
"""Of an image: what today's cameras make, and what decoding it may cost."""
_MOST_NAME = 150
_PIECE_BYTES = 256 * 1024
_SUFFIXES = {
    "image/png": (".png",),
    "image/jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "image/gif": (".gif",),
    "image/webp": (".webp",),
}
_FORMATS = {"PNG": "image/png", "JPEG": "image/jpeg", "GIF": "image/gif", "WEBP": "image/webp"}
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def is_image(content_type: str) -> bool:
    """Say whether a type is one of the images that we take."""
    return content_type in _SUFFIXES


def find_type(file: BinaryIO) -> str:
    """Find out what a file is; it is at its beginning afterwards.

    Raises:
        UnsupportedType: neither an image that we take nor text.
        TooLarge: an image of more than `MOST_PIXELS`.
    """
    found = _image_type(file) or _text_type(file)
    file.seek(0)
    if found is None:
        raise UnsupportedType(_("Only PNG, JPEG, GIF and WebP images and text files are taken."))
    return found


def _image_type(file: BinaryIO) -> str | None:
    file.seek(0)
    try:
        # Not in a `with`: it would close the file, which is the upload's.
        image = Image.open(file, formats=list(_FORMATS))
        width, height = image.size
        if width * height > MOST_PIXELS:
            raise TooLarge(_("The image has too many pixels."))
        kind = _FORMATS[str(image.format)]
        image.verify()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise TooLarge(_("The image has too many pixels.")) from None
    except UnidentifiedImageError:
        return None
    except DAMAGED:
        raise UnsupportedType(_("The image is damaged.")) from None
    return kind


def _text_type(file: BinaryIO) -> str | None:
    file.seek(0)
    try:
        decoder = codecs.getincrementaldecoder(encoding_of(file))()
        while piece := file.read(_PIECE_BYTES):
            if "\0" in decoder.decode(piece):
                return None
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return None
    return TEXT


def encoding_of(file: BinaryIO) -> str:
    """Name the encoding of a text by its first bytes; they are not read away."""
    start = file.read(2)
    file.seek(0)
    return "utf-16" if start in _UTF16 else "utf-8-sig"


def clean_name(name: str, content_type: str) -> str:
    """Make of what an upload calls itself a name that is never a path and hides nothing.

    An image whose name claims to be something else gets the suffix of what it is.
    """
    name = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    # Control characters, and those that turn the direction of writing: "gpj.exe" read backwards.
    seen = "".join(c for c in name if c.isspace() or unicodedata.category(c)[0] != "C")
    path = PurePosixPath(" ".join(seen.split()).strip(". ") or "file")
    suffix = path.suffix[:20]
    suffixes = _SUFFIXES.get(content_type, ())
    if suffixes and suffix.lower() not in suffixes:
        path, suffix = PurePosixPath(f"{path.name[: _MOST_NAME - 5]}{suffixes[0]}"), suffixes[0]
    return path.name if len(path.name) <= _MOST_NAME else path.stem[: _MOST_NAME - 20] + suffix
