"""Files of a conversation, read for a model, outside of the transaction that begins a reply."""

import base64
import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO, NamedTuple, cast

from django.core.files.storage import default_storage
from PIL import Image, ImageOps

from conversations.attachments.content_types import DAMAGED, encoding_of, is_image
from conversations.attachments.enclosures import (
    MOST_IMAGES,
    Enclosure,
    ImageFile,
    LostFile,
    TextFile,
    UnreadFile,
)
from conversations.models import Attachment
from conversations.providers.types import Prompt

_MOST_SIDE = 2048  # more than this the known models shrink themselves
_MOST_IMAGE_BYTES = 4 * 1024 * 1024
_MOST_CHARACTERS = 4_000_000  # of a text; no model has room for more
_decoding = threading.Lock()  # a large image takes hundreds of megabytes for a moment


class Unread(NamedTuple):
    """A prompt whose files are still to be read."""

    files: Mapping[int, Sequence[Attachment]]
    """By the places of their messages in the history."""
    sees: bool
    """Whether images are wanted."""
    room_characters: int
    """More than this no model can have room for."""
    build: Callable[..., Prompt]
    """Takes `enclosed`."""

    def read(self) -> Prompt:
        """Read the files that can have room, the newest first; takes a thread."""
        reading = _Reading(self.room_characters, MOST_IMAGES if self.sees else 0)
        newest_first = sorted(self.files, reverse=True)
        return self.build(
            enclosed={
                place: [reading.read(one) for one in self.files[place]] for place in newest_first
            }
        )


@dataclass
class _Reading:
    """What room is left while files are read."""

    characters: int
    images: int

    def read(self, attachment: Attachment) -> Enclosure:
        """Read a file, or just name it."""
        if is_image(attachment.content_type):
            self.images -= 1
            if self.images < 0:
                return ImageFile(name=attachment.name, url="")
        elif self.characters <= 0:
            return UnreadFile(name=attachment.name)
        found = _read(attachment)
        if isinstance(found, TextFile):
            self.characters -= len(found.text)
        return found


def _read(attachment: Attachment) -> Enclosure:
    name = attachment.name
    try:
        with default_storage.open(str(attachment.file.name)) as opened:
            file = cast("BinaryIO", opened)
            if is_image(attachment.content_type):
                return ImageFile(name=name, url=_data_url(file, attachment))
            return TextFile(name=name, text=_text(file))
    except DAMAGED:
        return LostFile(name=name)


def _text(file: BinaryIO) -> str:
    encoding = encoding_of(file)
    return file.read(4 * _MOST_CHARACTERS).decode(encoding, "replace")[:_MOST_CHARACTERS]


def _data_url(file: BinaryIO, attachment: Attachment) -> str:
    """Write an image as a data URL, made smaller where models would do so themselves."""
    with _decoding:
        image = Image.open(file)
        kind = attachment.content_type
        if max(image.size) <= _MOST_SIDE and attachment.size <= _MOST_IMAGE_BYTES:
            file.seek(0)
            data = file.read()
        else:
            image.draft("RGB", (_MOST_SIDE, _MOST_SIDE))
            image.thumbnail((_MOST_SIDE, _MOST_SIDE))
            kind, data = _encoded(_upright(image))
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _upright(image: Image.Image) -> Image.Image:
    """Turn an image as its camera was held, if it says so in a way that can be read."""
    try:
        return ImageOps.exif_transpose(image)
    except (*DAMAGED, AttributeError, TypeError, struct.error):
        return image


def _encoded(image: Image.Image) -> tuple[str, bytes]:
    written = BytesIO()
    if image.has_transparency_data:
        image.convert("RGBA").save(written, "PNG")
        return "image/png", written.getvalue()
    image.convert("RGB").save(written, "JPEG", quality=85)
    return "image/jpeg", written.getvalue()
