"""One run as its readers see it, wherever it is produced."""

import time
from typing import Any
from uuid import UUID

from streaming.events import Ended, State
from streaming.transcript import Transcript


class Feed:
    """Committed text, state and end of a run, and the readers to wake.

    A reader is anything with `wake()`; it is called on the event loop whenever there may be
    something new. A feed holds no queue: readers look at the transcript from their cursor.
    """

    def __init__(self, run_id: UUID, about: dict[str, Any], transcript: Transcript) -> None:
        self.run_id = run_id
        self.about = about
        self.transcript = transcript
        self.readers: set[Any] = set()
        self.ended: Ended | None = None
        self.lost = False
        """This process no longer knows how the run goes on: readers open it anew."""
        self.state: State = "waiting"
        self.progressed_at = time.monotonic()

    @property
    def idle_seconds(self) -> float:
        """Seconds since the source last progressed."""
        return time.monotonic() - self.progressed_at

    def attach(self, reader: Any) -> None:
        """Take a reader."""
        self.readers.add(reader)

    def detach(self, reader: Any, *, returns: bool = False) -> None:
        """Let a reader go; harmless when repeated.

        Args:
            returns: whether the reader was asked to come back: a planned close.
        """
        self.readers.discard(reader)

    def wake(self) -> None:
        """Tell every reader to look."""
        for reader in tuple(self.readers):
            reader.wake()

    def end(self, ended: Ended) -> None:
        """Give the readers the end; only after it was committed."""
        self.ended = ended
        self.wake()

    def lose(self) -> None:
        """Make the readers open the run anew."""
        self.lost = True
        self.wake()
