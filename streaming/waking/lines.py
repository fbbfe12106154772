"""The lines that workers speak over: NOTIFY of PostgreSQL, publish of Redis, or none."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Literal, Protocol

from django.conf import settings
from django.db import connection

from streaming.conf import conf

Kind = Literal["notify", "redis", "polling"]
KINDS: tuple[Kind, ...] = ("notify", "redis", "polling")


class LineDown(Exception):
    """Nothing can be said or heard over the line now; what went wrong is its text."""


class Line(Protocol):
    """One way to say something to workers by their addresses."""

    kind: Kind
    largest_bytes: int
    """Longest message."""

    def hear(self, addresses: Sequence[str]) -> AsyncGenerator[str]:
        """Listen, over one connection.

        Yields:
            an empty text once it listens, then each message.
        Raises:
            LineDown
        """
        ...

    async def say(self, messages: Sequence[tuple[str, str]]) -> None:
        """Send messages, each with its address, in one exchange.

        Raises:
            LineDown
        """
        ...

    async def close(self) -> None:
        """Give connections back."""
        ...


def choose() -> Line | None:
    """Return the line of this process; None where it has none and polls."""
    if conf().wake_by == "polling":
        return None
    url = redis_url()
    if url:
        from streaming.waking.redis_line import RedisLine

        return RedisLine(url)
    if connection.vendor == "postgresql":
        from streaming.waking.notify_line import NotifyLine

        return NotifyLine(_parameters())
    return None


def redis_url() -> str:
    """Return `settings.REDIS_URL`, which a project need not have."""
    return str(getattr(settings, "REDIS_URL", "") or "")


def _parameters() -> dict[str, Any]:
    """Return what libpq needs to connect to the project's database."""
    found: dict[str, Any] = connection.get_connection_params()
    ours = ("cursor_factory", "context", "prepare_threshold")
    return {name: value for name, value in found.items() if name not in ours}
