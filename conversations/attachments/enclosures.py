"""The files of a conversation as a model reads them, within the room that they may take. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from conversations.tokens import estimate_tokens, most_characters

IMAGE_TOKENS = 1000
"""What an image costs, about as much as the known models say of one that fills their view."""
MOST_IMAGES = 20
"""Of a prompt."""
_FRAME_TOKENS = 40  # name and fence around a text
_LEAST_TOKENS = 60  # less of a text says nothing
_TICKS = re.compile("`{3,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFile:
    """A text, of which as much is said as there is room for."""

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFile:
    """An image, for a model that sees; others are told of it."""

    name: str
    url: str
    """A data URL; empty where nobody can show it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LostFile:
    """A file that is no longer there."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadFile:
    """A text for which there is no room, as was plain before it was read."""

    name: str


Enclosure = TextFile | ImageFile | LostFile | UnreadFile


@dataclass(frozen=True, slots=True)
class Enclosed:
    """What the files of one message come to."""

    text: str = ""
    images: tuple[str, ...] = ()


def enclose(
    files: Mapping[int, Sequence[Enclosure]], *, room_tokens: int, sees: bool
) -> dict[int, Enclosed]:
    """Write down the files of messages, by the messages' places in the conversation.

    The newest message is served first, its files alike; what is left goes to the ones before. So
    the file that was just attached is read, and a file that was read stays the same later on,
    until the room is needed.
    """
    found: dict[int, Enclosed] = {}
    images_left = MOST_IMAGES if sees else 0
    for place in sorted(files, reverse=True):
        shown = [file for file in files[place] if isinstance(file, ImageFile) and file.url]
        shown = shown[:images_left]
        images_left -= len(shown)
        room_tokens -= IMAGE_TOKENS * len(shown)
        texts = [file for file in files[place] if isinstance(file, TextFile)]
        quotes = _quotes(texts, room_tokens)
        room_tokens -= sum(cost for _, cost in quotes)
        told = [_told(file, shown) for file in files[place] if not isinstance(file, TextFile)]
        found[place] = Enclosed(
            "\n\n".join([*told, *(said for said, _ in quotes)]), tuple(file.url for file in shown)
        )
    return found


def _told(file: ImageFile | LostFile | UnreadFile, shown: Sequence[ImageFile]) -> str:
    name = _plain(file.name)
    if isinstance(file, UnreadFile):
        return f'[Attached file "{name}": there is no room for it]'
    if isinstance(file, LostFile):
        return f'[A file was attached that is gone: "{name}"]'
    if file in shown:
        return f'[Attached image: "{name}"]'
    return f'[An image was attached, which you cannot see: "{name}"]'


def _quotes(files: Sequence[TextFile], room_tokens: int) -> list[tuple[str, int]]:
    """Quote texts with what each costs; short ones leave their share to the others."""
    whole = {place: _cost(file.text, room_tokens) for place, file in enumerate(files)}
    quotes: dict[int, tuple[str, int]] = {}
    for left, place in zip(
        range(len(files), 0, -1), sorted(whole, key=lambda place: whole[place]), strict=True
    ):
        share = max(room_tokens, 0) // left
        quotes[place] = _quote(files[place], share)
        room_tokens -= quotes[place][1]
    return [quotes[place] for place in range(len(files))]


def _cost(text: str, room_tokens: int) -> int:
    """Estimate what a text costs; of one that is far too long, only that it is."""
    few = text[: most_characters(room_tokens) + 1]
    return _FRAME_TOKENS + estimate_tokens(few)


def _quote(file: TextFile, share_tokens: int) -> tuple[str, int]:
    name, total = _plain(file.name), len(file.text)
    text = _fitting(file.text, share_tokens - _FRAME_TOKENS)
    if len(text) < total and estimate_tokens(text) < _LEAST_TOKENS:
        said = f'[Attached file "{name}", {total} characters: there is no room for it]'
        return said, estimate_tokens(said)
    fence = "`" * max(3, 1 + max(map(len, _TICKS.findall(text)), default=0))
    note = "" if len(text) == total else f"\n[Cut: the first {len(text)} of {total} characters]"
    end = "" if text.endswith("\n") else "\n"
    said = f'Attached file "{name}":\n{fence}\n{text}{end}{fence}{note}'
    return said, _FRAME_TOKENS + estimate_tokens(text)


def _fitting(text: str, room_tokens: int) -> str:
    """Return as much of the beginning as costs no more than this; to the end of a line, if near."""
    few = text[: most_characters(room_tokens)]
    if estimate_tokens(few) <= room_tokens:
        return few
    low, high = 0, len(few)
    while low < high:
        middle = (low + high + 1) // 2
        if estimate_tokens(few[:middle]) <= room_tokens:
            low = middle
        else:
            high = middle - 1
    line_end = few.rfind("\n", 0, low) + 1
    return few[: line_end if line_end > low * 0.8 else low]


def _plain(name: str) -> str:
    return name.replace('"', "'")
