"""Joins a continuation to the text that it continues.

A model that cannot go on from its own last words is asked to, and often says some of them again.
What it repeats is cut before anything is stored. Pure, but for the source around it.
"""

import re
from contextlib import aclosing

from streaming.source import Finish, Progress, Reasoning, Source, Text

HELD_CHARACTERS = 2000
"""How much of a continuation may be held back while it still repeats what was said."""
LEAST_WORDS = 3
"""Fewer words than these may be there twice by chance."""

_WORD = re.compile(
    # A script without spaces has two or three characters to a word.
    r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]{2}|[^\W\u3040-\u30ff\u3400-\u9fff"
    r"\uac00-\ud7af\u0e00-\u0e7f]+"
)


class Seam:
    """Takes a continuation piece by piece and gives it without what repeats the text before.

    White space counts for nothing in the comparison: a repeated line may be wrapped otherwise.
    """

    def __init__(self, said: str) -> None:
        self._said = said
        self._before = _squeezed(said[-2 * HELD_CHARACTERS :])[-HELD_CHARACTERS:]
        self._held = ""
        self._open = bool(self._before)

    def take(self, text: str) -> str:
        """Take a piece; returns what is certain by now."""
        if not self._open:
            return text
        self._held += text
        return "" if self._may_repeat_more() else self.close()

    def close(self) -> str:
        """Return what is held back, without what repeats the text before."""
        if not self._held:
            return ""
        self._open = False
        held, self._held = self._held, ""
        return held[self._repeated(held) :]

    def _may_repeat_more(self) -> bool:
        """Whether what is held could be the beginning of something longer that was said."""
        if len(self._held) >= HELD_CHARACTERS:
            return False
        return _squeezed(self._held) in self._before

    def _repeated(self, held: str) -> int:
        """Count the characters at the beginning of a text that repeat the end of the one before."""
        places = [at for at, character in enumerate(held) if not character.isspace()]
        squeezed = "".join(held[at] for at in places)
        for length in range(min(len(squeezed), len(self._before)), 0, -1):
            if self._before.endswith(squeezed[:length]):
                end = places[length - 1] + 1
                return self._past_space(held, end) if _is_enough(held[:end]) else 0
        return 0

    def _past_space(self, held: str, end: int) -> int:
        """Leave out the space behind the repeated words where the text before has it already."""
        if not self._said[-1:].isspace():
            return end
        return len(held) - len(held[end:].lstrip())


async def joined(source: Source, said: str) -> Source:
    """Give a source that continues a text without what it repeats of it.

    Yields:
        as `source`; while text is held back, a sign of life in its place.
    Raises:
        what `source` raises, after the text that was held back.
    Cancellation:
        closes `source`; what is held back then was never shown to anybody.
    """
    seam = Seam(said)
    async with aclosing(source) as items:
        try:
            async for item in items:
                if isinstance(item, Text):
                    certain = seam.take(item.text)
                    yield Text(certain) if certain else Progress()
                    continue
                if isinstance(item, Reasoning | Finish) and (rest := seam.close()):
                    yield Text(rest)
                yield item
        except Exception:  # whatever it is, what came before it is kept
            if rest := seam.close():
                yield Text(rest)
            raise
        if rest := seam.close():
            yield Text(rest)


async def rethought(source: Source, thought: str) -> Source:
    """Give a source without the reasoning that readers have already.

    A model that was lost while it thought thinks from the beginning. What it says again in the
    same words is cut; other words are another attempt, and stand in a paragraph of their own.

    Yields:
        as `source`; while reasoning is held back, a sign of life in its place.
    """
    held = ""
    comparing = True
    async with aclosing(source) as items:
        async for item in items:
            if not comparing or not isinstance(item, Reasoning | Text):
                yield item
                continue
            if isinstance(item, Reasoning):
                held += item.text
                if thought.startswith(held):
                    yield Progress()
                    continue
                comparing = False
                same = held.startswith(thought)
                yield Reasoning(held[len(thought) :] if same else "\n\n" + held)
                continue
            comparing = False
            yield item


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _is_enough(text: str) -> bool:
    return sum(1 for _ in _WORD.finditer(text)) >= LEAST_WORDS
