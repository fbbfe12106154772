"""The line over Redis' publish and subscribe."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from streaming.waking.lines import Kind, LineDown

_CONNECTIONS = 3
_SECONDS = 3.0


class RedisLine:
    """Listens on one connection, and says on one or two more.

    Channels of Redis know nothing of its numbered databases: the number is part of their names, so
    that two projects may share a server.
    """

    kind: Kind = "redis"
    largest_bytes = 64_000

    def __init__(self, url: str) -> None:
        # Connections over a socket of this host do not take the option.
        kept = {} if url.lower().startswith("unix:") else {"socket_keepalive": True}
        self._pool: Any = BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=_SECONDS,
            socket_timeout=_SECONDS,
            socket_connect_timeout=_SECONDS,
            **kept,
            decode_responses=True,
            encoding_errors="replace",  # whoever publishes what is no text ends nobody's session
            # Whoever waits here has a poll to fall back on, and comes again by itself.
            retry=Retry(NoBackoff(), 0),
        )
        self._redis = Redis(connection_pool=self._pool)
        self._prefix = f"holdfast:{self._pool.connection_kwargs.get('db') or 0}:"

    async def hear(self, addresses: Sequence[str]) -> AsyncGenerator[str]:
        """Listen; see `lines.Line`."""
        try:
            async with self._redis.pubsub() as heard:
                await heard.subscribe(*[self._prefix + address for address in addresses])
                missing = len(addresses)
                while True:
                    found = await heard.get_message(timeout=None)
                    if found is None:
                        continue
                    if found["type"] == "subscribe":
                        missing -= 1
                        if missing == 0:
                            yield ""
                        elif missing < 0:
                            # It connected anew, and what was said meanwhile is lost.
                            raise LineDown("cut")
                    elif found["type"] == "message":
                        yield found["data"]
        except (RedisError, OSError) as error:
            raise LineDown(type(error).__name__) from None

    async def say(self, messages: Sequence[tuple[str, str]]) -> None:
        """Send; see `lines.Line`."""
        try:
            async with self._redis.pipeline(transaction=False) as batch:
                for address, text in messages:
                    batch.publish(self._prefix + address, text)
                await batch.execute()
        except (RedisError, OSError) as error:
            raise LineDown(type(error).__name__) from None

    async def close(self) -> None:
        """Close all connections."""
        with suppress(RedisError, OSError):
            await self._redis.aclose(close_connection_pool=True)
