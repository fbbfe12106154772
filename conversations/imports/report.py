"""What an import came to: what was taken, what was not, and why."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from conversations.imports.found import FoundConversation
from conversations.imports.storing import Stored

_LISTED = 500


@dataclass(slots=True)
class Report:
    """Sums it up, and lists conversations of which something was not taken, up to a bound."""

    added: int = 0
    already_there: int = 0
    grown: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    messages: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    listed: list[dict[str, Any]] = field(default_factory=list)
    unlisted: int = 0

    def refuse(self, title: str, reason: str) -> None:
        """Note a conversation that was not taken at all."""
        self.refused[reason] += 1
        self._list({"title": title, "id": None, "messages": 0, "reason": reason, "left_out": {}})

    def take(self, found: FoundConversation, slices: list[Stored]) -> None:
        """Note a conversation, once the last of it is stored."""
        added = sum(one.added for one in slices)
        if any(one.new for one in slices):
            self.added += 1
        elif added:
            self.grown += 1
        else:
            self.already_there += 1
        self.messages += added
        self.left_out.update(found.left_out)
        if found.left_out:
            self._list(
                {
                    "title": found.title,
                    "id": _id(slices),
                    "messages": len(found.messages),
                    "reason": None,
                    "left_out": dict(found.left_out),
                }
            )

    def shape(self) -> dict[str, Any]:
        """Return the report as the wire shows it."""
        return {
            "added": self.added,
            "grown": self.grown,
            "already_there": self.already_there,
            "messages": self.messages,
            "refused": dict(self.refused),
            "left_out": dict(self.left_out),
            "conversations": self.listed,
            "unlisted": self.unlisted,
        }

    def _list(self, entry: dict[str, Any]) -> None:
        if len(self.listed) < _LISTED:
            self.listed.append(entry)
        else:
            self.unlisted += 1


def _id(slices: list[Stored]) -> UUID:
    return slices[-1].id
