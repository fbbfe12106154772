"""The text of one run: what is committed, what waits for its commit, and where each piece lies."""

import hashlib
from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple

from streaming.cursor import START, BadCursor, Cursor

_MERGE_AT = 256  # pieces of a part before they are joined, to bound the memory per token


class Piece(NamedTuple):
    """A run of text inside one part."""

    part: int
    kind: str
    start: int
    """Offset of its first code point in the part."""
    text: str

    @property
    def end(self) -> int:
        """Offset behind its last code point."""
        return self.start + len(self.text)


class StoredPart(NamedTuple):
    """A whole part as the recorder keeps it."""

    kind: str
    text: str


def is_storable(text: str) -> bool:
    """Say whether every database and encoder takes the text: no U+0000, no lone surrogate."""
    if "\x00" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def clean(text: str) -> str:
    """Join surrogate pairs; replace lone surrogates and U+0000 by U+FFFD."""
    if is_storable(text):
        return text
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return joined.replace("\x00", "\ufffd")


class Transcript:
    """The growing text of a run.

    Text enters through `append` only, waits as pending, is frozen for a commit, and becomes
    readable by `commit`. Offsets count code points of cleaned text.
    """

    def __init__(self, stored: Iterable[StoredPart] = ()) -> None:
        self.end = START
        """Cursor behind the committed text."""
        self._parts: list[_Part] = []
        self._latest: Piece | None = None  # of the committed ones
        self._pending: list[Piece] = []
        self._newest: list[str] = []  # pending, too: what came last, all of one part
        self._frozen: list[Piece] = []
        self._carry = ""
        self._part = 0
        self._kind = ""
        self._offset = 0  # in that part, behind all that came
        self.pending_characters = 0
        self.characters = 0
        self._publish(pieces_of(stored))
        self._reset_next()

    def append(self, kind: str, text: str) -> None:
        """Take text from a source: clean it, place it, let it wait for its commit."""
        if kind != self._kind or self._carry or not text.isascii() or "\x00" in text:
            text = self._prepared(kind, text)
        if text:
            self._newest.append(text)
            length = len(text)
            self._offset += length
            self.pending_characters += length
            self.characters += length

    def flush(self) -> None:
        """Give up waiting for the other half of a surrogate pair."""
        if self._carry:
            self._carry = ""
            self.append(self._kind, "\ufffd")

    def freeze(self) -> list[Piece]:
        """Hand out the pending text for one commit, merged per part.

        Until `commit` the same pieces are handed out again, whatever was appended since.
        """
        if not self._frozen:
            self._close_newest()
            self._frozen, self._pending = self._pending, []
            self.pending_characters = 0
        return self._frozen

    def commit(self) -> None:
        """Make the frozen pieces readable: their commit succeeded."""
        self._publish(self._frozen)
        self._frozen = []

    def drop_pending(self) -> None:
        """Forget what is not committed."""
        self._frozen = []
        self.drop_unfrozen()
        self._reset_next()

    def drop_unfrozen(self) -> None:
        """Forget what no commit has been tried for."""
        self._pending, self._newest, self._carry = [], [], ""
        self.pending_characters = 0

    def extend(self, piece: Piece) -> bool:
        """Take a piece that another worker committed; cut what is known already.

        Returns:
            False where a piece before it is missing.
        """
        part_end = self._parts[piece.part - 1].length if piece.part <= len(self._parts) else 0
        if piece.part > len(self._parts) + 1 or piece.start > part_end:
            return False
        if piece.end > part_end:
            fresh = piece._replace(start=part_end, text=piece.text[part_end - piece.start :])
            self._publish([fresh])
            self._reset_next()
        return True

    def check(self, cursor: Cursor) -> None:
        """Raise `BadCursor` unless the cursor lies within the text that may be stored.

        That is more than what is committed as far as we know: the answer may be on its way.
        """
        if cursor == START or any(_reaches(piece, cursor) for piece in self._frozen):
            return
        if cursor.part == 0 or cursor.part > len(self._parts):
            raise BadCursor("beyond the end")
        if cursor.offset > self._parts[cursor.part - 1].length:
            raise BadCursor("beyond the end")

    def after(self, cursor: Cursor, *, most: int = 65_536) -> Piece | None:
        """Return the committed text behind a cursor, within one part, merged; None at the end."""
        latest = self._latest
        if latest is not None and cursor == (latest.part, latest.start):
            if len(latest.text) <= most:
                return latest  # a reader who keeps up
        number, offset = cursor.part or 1, cursor.offset
        while number <= len(self._parts):
            part = self._parts[number - 1]
            if offset < part.length:
                return Piece(number, part.kind, offset, part.slice(offset, most))
            number, offset = number + 1, 0
        return None

    def stored(self) -> list[StoredPart]:
        """Return the committed parts, whole."""
        return [StoredPart(part.kind, part.whole()) for part in self._parts]

    def _prepared(self, kind: str, text: str) -> str:
        """Clean text, keep half a surrogate pair back, and begin a part where the kind changes."""
        if kind != self._kind:
            self.flush()
        text = self._carry + text
        self._carry = ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            text, self._carry = text[:-1], text[-1]
        if kind != self._kind and (text or self._carry):
            self._close_newest()
            self._part, self._kind, self._offset = self._part + 1, kind, 0
        return clean(text)

    def _close_newest(self) -> None:
        if self._newest:
            text = "".join(self._newest)
            self._newest = []
            start = self._offset - len(text)
            self._pending.append(Piece(self._part, self._kind, start, text))

    def _publish(self, pieces: Iterable[Piece]) -> None:
        parts = self._parts
        for piece in pieces:
            number, kind, _, text = piece
            if number > len(parts):
                parts.append(_Part(kind))
            self.end = Cursor(number, parts[number - 1].add(text))
            if text:
                self._latest = piece

    def _reset_next(self) -> None:
        self._part, self._offset = self.end
        self._kind = self._parts[-1].kind if self._parts else ""
        self.characters = sum(part.length for part in self._parts)


def _reaches(piece: Piece, cursor: Cursor) -> bool:
    return piece.part == cursor.part and piece.start <= cursor.offset <= piece.end


class _Part:
    __slots__ = ("_ends", "_texts", "kind", "length")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.length = 0
        self._texts: list[str] = []
        self._ends: list[int] = []

    def add(self, text: str) -> int:
        """Add text; return the length that the part has with it."""
        self.length += len(text)
        self._texts.append(text)
        self._ends.append(self.length)
        if len(self._texts) >= _MERGE_AT:
            self._texts, self._ends = [self.whole()], [self.length]
        return self.length

    def whole(self) -> str:
        return "".join(self._texts)

    def slice(self, offset: int, most: int) -> str:
        first = bisect_right(self._ends, offset)
        begin = self._ends[first - 1] if first else 0
        last = bisect_right(self._ends, offset + most, lo=first) + 1
        text = "".join(self._texts[first:last])
        return text[offset - begin : offset - begin + most]


def text_of(parts: Iterable[StoredPart]) -> str:
    """Join the `text` parts: the reply as people read it."""
    return "".join(part.text for part in parts if part.kind == "text")


def digest_of(text: str) -> str:
    """SHA-256 of the text in UTF-8, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def pieces_of(parts: Iterable[StoredPart]) -> list[Piece]:
    """Number stored parts; one without text counts for nothing, as the journal cannot hold it."""
    found = [part for part in parts if part.text]
    return [Piece(number, part.kind, 0, part.text) for number, part in enumerate(found, 1)]


def end_of(parts: Iterable[StoredPart]) -> Cursor:
    """Cursor behind stored parts."""
    pieces = pieces_of(parts)
    return Cursor(pieces[-1].part, pieces[-1].end) if pieces else START
