"""ChatGPT's export: a tree of nodes under `mapping`, many of which say nothing. Pure.

A node may have no message at all; system and tool messages, and what the page there does not show,
are nodes like any other. What follows a node that is not taken hangs on the nearest one before it.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from conversations.imports.found import (
    FoundConversation,
    FoundMessage,
    NotReadable,
    identity,
    moment,
    parents_first,
    text,
    title,
)
from streaming.transcript import StoredPart

_REFERENCE = re.compile("\ue200[^\ue201]*\ue201")
"""A mark that their page turns into a footnote; it means nothing elsewhere."""
_CONTEXT = ("user_editable_context", "model_editable_context")
_QUIET = ("reasoning_recap",)
_IMAGE = "[image]"


def read(item: dict[str, Any]) -> FoundConversation:
    """Read a conversation.

    Raises:
        NotReadable
    """
    mapping = item.get("mapping")
    if not isinstance(mapping, dict):
        raise NotReadable("broken")
    found = FoundConversation(
        source="chatgpt",
        id=_id_of(item, mapping),
        title=title(item.get("title")),
        model=title(item.get("default_model_slug")),
        pinned=item.get("is_starred") is True,
        archived=item.get("is_archived") is True,
        created_at=moment(item.get("create_time")),
        updated_at=moment(item.get("update_time")),
    )
    current = identity(item.get("current_node"))
    found.head = _Reader(found, mapping).read().get(current)
    found.settle()
    return found


def _id_of(item: dict[str, Any], mapping: dict[str, Any]) -> str:
    given = identity(item.get("conversation_id")) or identity(item.get("id"))
    return given or hashlib.sha256("\n".join(sorted(mapping)).encode(errors="replace")).hexdigest()


class _Said(NamedTuple):
    """What a node says; with neither text nor thought, nothing."""

    text: str = ""
    thought: str = ""
    left_out: str = ""


@dataclass(slots=True)
class _Place:
    """Where what follows a node hangs."""

    message: FoundMessage | None = None
    forked: bool = False
    """Whether something else hangs there, too."""
    thought: str = ""
    """Waits for the reply that it led to."""


class _Reader:
    """Goes through the tree once, from its roots on."""

    def __init__(self, found: FoundConversation, mapping: dict[str, Any]) -> None:
        self._found = found
        self._mapping = mapping
        self._parents = {
            node: _parent_of(about) for node, about in mapping.items() if identity(node)
        }
        self._forks: dict[str, int] = {}
        for parent in self._parents.values():
            if parent is not None:
                self._forks[parent] = self._forks.get(parent, 0) + 1
        self._places: dict[str, _Place] = {}

    def read(self) -> dict[str, str]:
        """Take the messages; returns which of them stands for each node."""
        for node in parents_first(self._parents):
            parent = self._parents[node]
            before = self._places.get(parent) if parent is not None else None
            self._places[node] = self._place(node, before or _Place())
        lost = len(self._mapping) - len(self._places)
        if lost:
            self._found.left_out["unreachable"] += lost
        return {node: place.message.id for node, place in self._places.items() if place.message}

    def _place(self, node: str, before: _Place) -> _Place:
        forks = self._forks.get(node, 0) > 1
        about = self._mapping[node]
        message = about.get("message") if isinstance(about, dict) else None
        said = _said(message) if isinstance(message, dict) else _Said()
        if said.left_out:
            self._found.left_out[said.left_out] += 1
        if not said.text:
            thought = "\n\n".join(part for part in (before.thought, said.thought) if part)
            return _Place(before.message, before.forked or forks, thought)
        assert isinstance(message, dict)
        role = message["author"]["role"]
        parts = [StoredPart("text", said.text)]
        if before.thought and role == "assistant":
            parts.insert(0, StoredPart("reasoning", before.thought))
        last = before.message
        if last is not None and not before.forked and last.role == role == "assistant":
            # One reply that their page cut where a tool was called.
            parts[-1] = StoredPart("text", f"\n\n{said.text}")
            last.parts = _joined([*last.parts, *parts])
            return _Place(last, forks)
        taken = FoundMessage(
            id=node,
            parent=last.id if last is not None else None,
            role=role,
            parts=parts,
            created_at=moment(message.get("create_time")),
        )
        if role == "assistant":
            metadata = message.get("metadata")
            taken.model = title(metadata.get("model_slug")) if isinstance(metadata, dict) else ""
            cut = message.get("status") == "in_progress"
            taken.status, taken.reason = ("stopped", "user") if cut else ("completed", "stop")
        self._found.messages.append(taken)
        return _Place(taken, forks)


def _parent_of(node: Any) -> str | None:
    parent = identity(node.get("parent")) if isinstance(node, dict) else ""
    return parent or None


def _joined(parts: list[StoredPart]) -> list[StoredPart]:
    joined: list[StoredPart] = []
    for part in parts:
        if joined and joined[-1].kind == part.kind:
            joined[-1] = StoredPart(part.kind, joined[-1].text + part.text)
        else:
            joined.append(part)
    return joined


def _said(message: dict[str, Any]) -> _Said:
    """Find out what a message says to the person, and what of it is not taken."""
    author, content = message.get("author"), message.get("content")
    role = author.get("role") if isinstance(author, dict) else None
    if not isinstance(content, dict) or role not in ("system", "user", "assistant", "tool"):
        return _Said(left_out="unknown")
    kind = content.get("content_type")
    if kind == "thoughts":
        return _Said(thought="\n\n".join(_thoughts(content)))
    strings, images = _parts(content)
    written = _REFERENCE.sub("", "\n".join(strings)).strip()
    if _is_hidden(message):
        return _Said(left_out="hidden" if written else "")
    if role == "system" or kind in _CONTEXT:
        return _Said(left_out="system" if written or kind in _CONTEXT else "")
    if role == "tool" or message.get("recipient", "all") not in ("all", None):
        return _Said(left_out="tool")
    if kind not in ("text", "multimodal_text", "code"):
        return _Said(left_out="" if kind in _QUIET else "unknown")
    if kind == "code" and written:
        written = f"```\n{written}\n```"
    if images and not written:
        written = _IMAGE
    return _Said(written, left_out="image" if images else "" if written else "empty")


def _is_hidden(message: dict[str, Any]) -> bool:
    metadata = message.get("metadata")
    if not isinstance(metadata, dict):
        return False
    return metadata.get("is_visually_hidden_from_conversation") is True


def _parts(content: dict[str, Any]) -> tuple[list[str], int]:
    """Return the texts of a message, and how many other things it has."""
    parts = content.get("parts")
    if not isinstance(parts, list):
        return [text(content.get("text"))], 0
    strings, others = [], 0
    for part in parts:
        if isinstance(part, str):
            strings.append(text(part))
        elif isinstance(part, dict) and isinstance(part.get("text"), str):
            strings.append(text(part["text"]))  # what was spoken, as it was understood
        else:
            others += 1
    return [one for one in strings if one], others


def _thoughts(content: dict[str, Any]) -> Iterator[str]:
    thoughts = content.get("thoughts")
    for thought in thoughts if isinstance(thoughts, list) else ():
        if isinstance(thought, dict):
            said = text(thought.get("content")) or text(thought.get("summary"))
            if said:
                yield said
