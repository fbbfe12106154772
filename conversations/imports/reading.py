"""Whose format a conversation of a file has."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from conversations.imports import chatgpt, ours
from conversations.imports.found import FoundConversation, NotReadable, title


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Something in a file that is not taken."""

    title: str
    reason: str


def read_all(found: Iterable[Any]) -> Iterator[FoundConversation | Refused]:
    """Read what a file holds; nothing in it makes the rest unreadable."""
    for item in found:
        try:
            yield read(item)
        except NotReadable as error:
            yield Refused(title=_title_of(item), reason=error.reason)


def read(item: Any) -> FoundConversation:
    """Read one conversation.

    Raises:
        NotReadable
    """
    if isinstance(item, dict):
        if item.get("format") == ours.FORMAT:
            return ours.read(item)
        if "mapping" in item:
            return chatgpt.read(item)
    raise NotReadable("unknown_format")


def _title_of(item: Any) -> str:
    if not isinstance(item, dict):
        return ""
    about = item.get("conversation")
    return title(item.get("title")) or title(about.get("title") if isinstance(about, dict) else "")
