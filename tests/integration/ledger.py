"""What a reader received, and whether the database gives it back."""

import hashlib
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]
Kind = Literal["lost", "doubled", "endless", "wire", "log"]


@dataclass(frozen=True)
class Breach:
    """Something that the law forbids, and that was seen."""

    kind: Kind
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


@dataclass
class Ledger:
    """Everything one reader of one run received, with the cursor at which it received it."""

    run_id: str
    start: str = "0-0"
    """Where this subscription was asked to begin."""
    cursor: str = "0-0"
    """Where it has come to."""
    pieces: dict[int, tuple[int, str]] = field(default_factory=dict)
    """Text per part, and the offset in that part at which it begins."""
    kinds: dict[int, str] = field(default_factory=dict)
    events: list[Json] = field(default_factory=list)
    faults: list[Breach] = field(default_factory=list)
    """Breaches of the wire seen while reading."""

    def __post_init__(self) -> None:
        self.cursor = self.start

    @property
    def deltas(self) -> int:
        return sum(event["type"] == "delta" for event in self.events)

    @property
    def ended(self) -> Json | None:
        last = self.events[-1] if self.events else None
        return last if last and last["type"] == "ended" else None

    @property
    def received(self) -> int:
        """Code points received."""
        return sum(len(text) for _, text in self.pieces.values())

    @property
    def text(self) -> str:
        """Joined text of the `text` parts received."""
        parts = sorted(self.pieces.items())
        return "".join(text for part, (_, text) in parts if self.kinds[part] == "text")

    def record(self, event: Json, event_id: str | None = None) -> None:
        """Take one event in, checking it against the wire's rules."""
        if self.ended is not None:
            self._fault(f"{event['type']} after ended")
        self.events.append(event)
        match event["type"]:
            case "started":
                if len([e for e in self.events if e["type"] == "started"]) > 1:
                    self._fault("a second started")
                if event["cursor"] != self.start:
                    self._fault(f"started at {event['cursor']}, asked for {self.start}")
                if event_id is not None:
                    self._fault("started carries an id")
            case "delta":
                self._take(event, event_id)
            case "ping":
                if event_id is not None:
                    self._fault("ping carries an id")
            case "ended":
                if event["cursor"] != self.cursor:
                    self._fault(f"ended at {event['cursor']}, but the text went to {self.cursor}")
                if event_id is not None and event_id != f"{event['cursor']}.end":
                    self._fault(f"ended has id {event_id}")
            case other:
                self._fault(f"unknown event {other!r}")

    def breaches(self, message: Json) -> list[Breach]:
        """Where this ledger and the stored message disagree; empty if all is well."""
        found = list(self.faults)
        parts = [part.get("text", "") for part in message["parts"]]
        for part, (begin, text) in self.pieces.items():
            if part > len(parts):
                told = f"part {part} is not stored ({len(parts)} parts are)"
                found.append(Breach("lost", told))
                continue
            stored = parts[part - 1]
            if stored[begin : begin + len(text)] != text:
                found.append(Breach("lost", _difference(part, begin, text, stored)))
            if part < max(self.pieces) and begin + len(text) != len(stored):
                told = f"part {part} went on to {len(stored)} after a later part was shown"
                found.append(Breach("wire", told))
            if message["parts"][part - 1]["kind"] != self.kinds[part]:
                found.append(Breach("wire", f"part {part} is of another kind than shown"))
        if self.ended is not None:
            found += self._breaches_of_ending(self.ended, message)
        return found

    def _take(self, event: Json, event_id: str | None) -> None:
        if event["at"] != self.cursor:
            kind: Kind = "doubled" if _place(event["at"]) < _place(self.cursor) else "lost"
            self._fault(f"delta at {event['at']}, expected {self.cursor}", kind)
        if not event["text"]:
            self._fault("an empty delta")
        part = int(event["part"])
        old_part, offset = _place(self.cursor)
        begin = offset if part == old_part else 0
        first, text = self.pieces.get(part, (begin, ""))
        self.pieces[part] = (first, text + event["text"])
        if self.kinds.setdefault(part, event["kind"]) != event["kind"]:
            self._fault(f"part {part} changed its kind")
        self.cursor = f"{part}-{begin + len(event['text'])}"
        if event_id is not None and event_id != self.cursor:
            self._fault(f"delta has id {event_id}, its end is {self.cursor}")

    def _breaches_of_ending(self, ended: Json, message: Json) -> list[Breach]:
        found: list[str] = []
        for key in ("status", "reason"):
            if ended[key] != message[key]:
                found.append(f"ended says {key} {ended[key]}, stored is {message[key]}")
        stored = "".join(p["text"] for p in message["parts"] if p["kind"] == "text")
        if ended["text_length"] != len(stored):
            found.append(f"ended says {ended['text_length']} code points, stored {len(stored)}")
        if ended["text_sha256"] != sha256(stored):
            found.append("ended carries the SHA-256 of another text")
        if ended["cursor"] != end_of(message):
            found.append(f"ended at {ended['cursor']}, stored text ends at {end_of(message)}")
        return [Breach("wire", text) for text in found]

    def _fault(self, text: str, kind: Kind = "wire") -> None:
        self.faults.append(Breach(kind, f"event {len(self.events)}: {text}"))


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def end_of(message: Json) -> str:
    """The cursor at the end of a message's parts."""
    parts = message["parts"]
    return f"{len(parts)}-{len(parts[-1]['text'])}" if parts else "0-0"


def _place(cursor: str) -> tuple[int, int]:
    part, _, offset = cursor.partition("-")
    return int(part), int(offset)


def _difference(part: int, begin: int, text: str, stored: str) -> str:
    pairs = enumerate(zip(text, stored[begin:], strict=False))
    at = next((n for n, (ours, theirs) in pairs if ours != theirs), None)
    if at is None:
        lost = begin + len(text) - len(stored)
        return f"part {part}: {lost} code points that a reader saw are not stored"
    near = slice(max(0, at - 20), at + 20)
    shown, kept = text[near], stored[begin:][near]
    return f"part {part}: at {begin + at} a reader saw {shown!r}, stored is {kept!r}"
