"""Values of a JSON file, read one after another: a file is never held as a whole.

A file is an array, objects one after another (JSONL), or an object whose `conversations` are one.
"""

import codecs
import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from conversations.exceptions import BadJson, TooLarge

_READ_BYTES = 256 * 1024
_HELD_CHARACTERS = 16_000_000  # of what is one value; it takes twenty times that as lists of lists
_SPACE = " \t\r\n"
_LISTED = "conversations"


def items(file: BinaryIO) -> Iterator[Any]:
    """Read the conversations of a file, whatever they are.

    Raises:
        BadJson, TooLarge: with the value where it is found out.
    """
    text = _Text(file)
    while (first := text.peek()) != "":
        if first == "[":
            yield from _elements(text)
        elif first == "{":
            yield from _members(text)
        else:
            raise BadJson


def _elements(text: "_Text") -> Iterator[Any]:
    text.take("[")
    if text.peek() == "]":
        text.take("]")
        return
    while True:
        yield text.value()
        if text.peek() == "]":
            text.take("]")
            return
        text.take(",")


def _members(text: "_Text") -> Iterator[Any]:
    """Give an object; of one that lists conversations, these."""
    text.take("{")
    found: dict[str, Any] = {}
    size = 0
    listed = False
    while text.peek() != "}":
        name = text.value()
        if not isinstance(name, str):
            raise BadJson
        text.take(":")
        if name == _LISTED and text.peek() == "[":
            listed = True
            yield from _elements(text)
        else:
            before = text.taken
            found[name] = text.value()
            size += text.taken - before
            if size > _HELD_CHARACTERS:
                raise TooLarge
        if text.peek() != "}":
            text.take(",")
            if text.peek() == "}":
                raise BadJson
    text.take("}")
    if not listed:
        yield found


class _Text:
    """The text of a file, of which only what is being read is held."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._json = json.JSONDecoder()
        self._held = ""
        self._at = 0
        self._over = False
        self.taken = 0
        """Characters of all values so far."""

    def peek(self) -> str:
        """Return the next character that is no space; nothing at the end."""
        while True:
            while self._at < len(self._held):
                if self._held[self._at] not in _SPACE:
                    return self._held[self._at]
                self._at += 1
            if not self._more(_READ_BYTES):
                return ""

    def take(self, character: str) -> None:
        """Go beyond the next character, which must be this one."""
        if self.peek() != character:
            raise BadJson
        self._at += 1

    def value(self) -> Any:
        """Read the next value. It is tried with more text until it is whole."""
        self.peek()
        size = _READ_BYTES
        while True:
            try:
                value, end = self._json.raw_decode(self._held, self._at)
            except RecursionError:
                raise BadJson from None
            except ValueError:  # also an integer of more digits than Python reads
                whole = False
            else:
                # A number at the end of what is held may have more digits.
                whole = end < len(self._held) or self._over
            if whole:
                self.taken += end - self._at
                self._at = end
                return value
            if self._over:
                raise BadJson
            if len(self._held) - self._at > _HELD_CHARACTERS:
                raise TooLarge
            self._more(size)
            size *= 2

    def _more(self, size: int) -> bool:
        if self._over:
            return False
        read = self._file.read(size)
        self._over = not read
        try:
            text = self._decoder.decode(read, final=self._over)
        except UnicodeDecodeError:
            raise BadJson from None
        self._held = self._held[self._at :] + text
        self._at = 0
        return True
