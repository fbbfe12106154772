"""An import from beginning to end: read twice, first to know that all of it can be read."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any, BinaryIO

from django.utils.translation import gettext as _

from conversations import conf
from conversations.exceptions import InvalidField
from conversations.imports import ours
from conversations.imports.archive import found_in
from conversations.imports.found import FoundConversation
from conversations.imports.reading import Refused, read_all
from conversations.imports.report import Report
from conversations.imports.storing import Slice, Stored, steps, store
from streaming import threads


class Import:
    """Takes what a file holds into a person's account.

    Reading goes on in threads of its own, one conversation at a time; each write is one short
    transaction.
    """

    def __init__(self, user_id: Any, file: BinaryIO) -> None:
        self._user_id = user_id
        self._file = file
        self._report = Report()
        self.total = 0

    async def check(self) -> None:
        """Read the file without taking anything.

        Raises:
            BadJson, TooLarge, InvalidField: nothing of it is taken.
        """
        known = await asyncio.to_thread(self._count)
        if not known:
            raise InvalidField(_("file: holds no conversations that we know"), field="file")

    async def run(self) -> AsyncIterator[dict[str, Any]]:
        """Take it, step by step.

        Yields: `{progress: {done, total}}` after each step, and `{report}` as the last.
        Cancellation: what was written stays; taking the file again adds the rest.
        """
        planned = steps(self._conversations())
        stored: dict[int, list[Stored]] = {}
        done = 0
        while (step := await asyncio.to_thread(next, planned, None)) is not None:
            written = await threads.write(store, self._user_id, step)
            for part, one in zip(step, written, strict=True):
                done += self._note(part, one, stored)
            refused = self._report.refused.total()
            yield {"progress": {"done": done + refused, "total": self.total}}
        yield {"report": self._report.shape()}

    def _note(self, part: Slice, one: Stored, stored: dict[int, list[Stored]]) -> int:
        slices = stored.setdefault(id(part.conversation), [])
        slices.append(one)
        if not part.is_last:
            return 0
        del stored[id(part.conversation)]
        self._report.take(part.conversation, slices)
        return 1

    def _found(self) -> Iterator[Any]:
        return found_in(self._file, most_bytes=conf.import_bytes())

    def _count(self) -> int:
        known = 0
        for item in self._found():
            self.total += 1
            if isinstance(item, dict) and (item.get("format") == ours.FORMAT or "mapping" in item):
                known += 1
        return known

    def _conversations(self) -> Iterator[FoundConversation]:
        for found in read_all(self._found()):
            if isinstance(found, Refused):
                self._report.refuse(found.title, found.reason)
            else:
                yield found
