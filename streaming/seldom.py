"""Lines of the log that others could call forth without end."""

import time

_EVERY_SECONDS = 60.0


class Seldom:
    """Lets one of them through in a minute."""

    def __init__(self) -> None:
        self._said_at: float | None = None

    def is_due(self) -> bool:
        """Say whether the line may be written, and count it as written."""
        now = time.monotonic()
        if self._said_at is not None and now - self._said_at < _EVERY_SECONDS:
            return False
        self._said_at = now
        return True
