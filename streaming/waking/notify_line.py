"""The line over PostgreSQL's LISTEN and NOTIFY."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

import psycopg
from django.db import DatabaseError, InterfaceError, connection
from psycopg import sql

from streaming import threads
from streaming.waking.lines import Kind, LineDown

# A transaction that notifies holds a lock of the whole cluster until it is flushed to disk. Nothing
# that is said here is worth a flush.
_SAY = """
    SELECT set_config('synchronous_commit', 'off', true), pg_notify(m.name, m.text)
    FROM unnest(%s::text[], %s::text[]) AS m(name, text)
"""
_KEPT_ALIVE = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}


class NotifyLine:
    """Listens on a connection of its own, outside the pool; says through the thread of the beats.

    Args:
        parameters: of that connection, as libpq names them.
    """

    kind: Kind = "notify"
    largest_bytes = 7900

    def __init__(self, parameters: dict[str, Any]) -> None:
        self._parameters = {**_KEPT_ALIVE, **parameters, "application_name": "holdfast-waking"}

    async def hear(self, addresses: Sequence[str]) -> AsyncGenerator[str]:
        """Listen; see `lines.Line`."""
        try:
            opened = await psycopg.AsyncConnection.connect(**self._parameters, autocommit=True)
            try:
                for address in addresses:
                    name = sql.Identifier(_channel(address))
                    await opened.execute(sql.SQL("LISTEN {}").format(name))
                yield ""
                async with aclosing(opened.notifies()) as notices:
                    async for notice in notices:
                        yield notice.payload
            finally:
                await opened.close()
        except (psycopg.Error, OSError) as error:
            raise LineDown(type(error).__name__) from None
        raise LineDown("closed")

    async def say(self, messages: Sequence[tuple[str, str]]) -> None:
        """Send; see `lines.Line`."""
        try:
            await threads.write_beat(_say, messages)
        except (DatabaseError, InterfaceError) as error:
            raise LineDown(type(error).__name__) from None

    async def close(self) -> None:
        """Keep nothing: the connection is the generator's."""


def _say(messages: Sequence[tuple[str, str]]) -> None:
    names = [_channel(address) for address, _ in messages]
    with connection.cursor() as cursor:
        cursor.execute(_SAY, (names, [text for _, text in messages]))


def _channel(address: str) -> str:
    return f"holdfast_{address}"
