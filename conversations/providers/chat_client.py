"""The one HTTP client of the providers: a chat completion as a source. The only user of httpx.

How what may go wrong is told (everything becomes `SourceFailed`, here and nowhere else):

    no connection                                    upstream_unreachable
    status 4xx · 429 · 5xx                           upstream_refused · _rate_limited · _error
    connection breaks                                upstream_reset
    body ends without finish reason and [DONE]       upstream_incomplete
    no event stream, bad JSON, UTF-8, gzip, HTTP     upstream_bad_data
    error event                                      upstream_error, or by its code

Once a finish reason has come, the reply is complete, whatever follows it.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import aiohttp
import httpx
import msgspec
from httpx_aiohttp import AiohttpTransport

from conversations.providers.chunks import ChunkReader, reason_of_status
from conversations.providers.sse_parser import EventTooLarge, SSEParser
from streaming.source import Finish, Item, SourceFailed

_LINGER_SECONDS = 2.0  # for the usage that follows the finish reason
_CLOSING_SECONDS = 0.05  # for the end of the body behind [DONE], so that the connection is kept
_KEEPALIVE_SECONDS = 4.0  # below the five seconds after which common servers hang up
_STATUS_SECONDS = 5.0
_MAX_BODY_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where to ask."""

    url: str
    """Of the chat completions."""
    api_key: str = field(default="", repr=False)


class ChatClient:
    """Asks any number of endpoints through one pool of connections per event loop.

    There is no read timeout: the runner's clocks decide how long silence may last.
    """

    def __init__(
        self,
        *,
        user_agent: str,
        connect_seconds: float = 10.0,
        max_connections: int = 2000,
        max_event_bytes: int = 1024 * 1024,
    ) -> None:
        self._user_agent = user_agent
        self._timeout = httpx.Timeout(None, connect=connect_seconds)
        # None would fall back to a hundred in the aiohttp transport.
        self._limits = httpx.Limits(
            max_connections=max_connections, keepalive_expiry=_KEEPALIVE_SECONDS
        )
        self._max_event_bytes = max_event_bytes
        self._client: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def stream(
        self, endpoint: Endpoint, body: Mapping[str, Any]
    ) -> AsyncGenerator[Item, None]:
        """Ask for a chat completion and yield it as it arrives.

        Raises:
            SourceFailed: see the module.
        Cancellation:
            the connection is closed, which tells the upstream to stop.
        """
        reader = ChunkReader()
        request = self._request(endpoint, body)
        with _translated(reader):
            response = await self._open().send(request, stream=True)
            try:
                async with aclosing(self._items(response, reader)) as items:
                    async for item in items:
                        yield item
            finally:
                await response.aclose()
        if reader.finish_reason is None and not reader.done:
            raise SourceFailed("upstream_incomplete")
        yield Finish(reader.finish_reason or "stop")

    async def get_status(self, url: str, *, headers: Mapping[str, str] | None = None) -> int:
        """Ask for nothing but the status of a page; 0 where nobody answers soon."""
        try:
            response = await self._open().get(url, headers=headers, timeout=_STATUS_SECONDS)
        except (httpx.HTTPError, aiohttp.ClientError):
            return 0
        return response.status_code

    async def aclose(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None and self._loop is asyncio.get_running_loop():
            await client.aclose()

    def _open(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            self._loop = loop
            self._client = httpx.AsyncClient(
                transport=AiohttpTransport(limits=self._limits, client=self._session),
                timeout=self._timeout,
                follow_redirects=False,
                trust_env=False,  # a .netrc would add credentials
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
                headers={"User-Agent": self._user_agent, "Accept-Encoding": "identity"},
            )
        return self._client

    def _session(self) -> aiohttp.ClientSession:
        # The transport's own session would keep cookies, across the people who ask.
        connector = aiohttp.TCPConnector(
            limit=self._limits.max_connections or 0,
            keepalive_timeout=self._limits.keepalive_expiry,
        )
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    def _request(self, endpoint: Endpoint, body: Mapping[str, Any]) -> httpx.Request:
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
        if endpoint.api_key:
            headers["Authorization"] = f"Bearer {endpoint.api_key}"
        try:
            if not endpoint.api_key.isprintable():
                raise ValueError
            return self._open().build_request(
                "POST", endpoint.url, content=msgspec.json.encode(body), headers=headers
            )
        except (httpx.InvalidURL, ValueError):
            # Neither the key nor the address may show in a traceback.
            raise SourceFailed(
                "upstream_refused", detail="the base URL or the key is malformed"
            ) from None

    async def _items(
        self, response: httpx.Response, reader: ChunkReader
    ) -> AsyncGenerator[Item, None]:
        status = response.status_code
        if status != httpx.codes.OK:
            raise SourceFailed(reason_of_status(status), detail=f"HTTP {status}")
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "application/json":
            for item in reader.read(await _whole(response)):
                yield item
            return
        if kind in ("text/html", "application/xhtml+xml"):
            raise SourceFailed("upstream_bad_data", detail=kind)
        parser = SSEParser(max_event_bytes=self._max_event_bytes)
        anything = False
        async with aclosing(_bytes(response, reader)) as pieces:
            async for data in pieces:
                anything = anything or not data.isspace()
                for event in parser.feed(data):
                    for item in reader.read(event.data, is_error=event.name == b"error"):
                        yield item
        for item in _tail(parser, reader):
            yield item
        if anything and not parser.fields:
            raise SourceFailed("upstream_bad_data", detail="no event stream")


async def _bytes(response: httpx.Response, reader: ChunkReader) -> AsyncGenerator[bytes, None]:
    """Yield the body; behind the end of the reply, only for as long as it may still be useful."""
    loop = asyncio.get_running_loop()
    until: float | None = None
    done = False
    async with aclosing(response.aiter_bytes()) as pieces:  # type: ignore[type-var]
        while True:
            if reader.done and not done:
                done = True
                until = loop.time() + _CLOSING_SECONDS
            elif reader.finish_reason is not None and until is None:
                until = loop.time() + _LINGER_SECONDS
            try:
                async with asyncio.timeout_at(until):
                    data = await anext(pieces, None)
            except TimeoutError:
                return
            if data is None:
                return
            if not done:
                yield data


def _tail(parser: SSEParser, reader: ChunkReader) -> Iterator[Item]:
    """Read the event that the body ended in; what was cut off is incomplete, not bad."""
    event = parser.finish()
    if event is None or reader.done:
        return
    try:
        yield from reader.read(event.data, is_error=event.name == b"error")
    except SourceFailed as error:
        if error.reason != "upstream_bad_data":
            raise
        raise SourceFailed("upstream_incomplete", detail="ended in an event") from error


async def _whole(response: httpx.Response) -> bytes:
    body = bytearray()
    async with aclosing(response.aiter_bytes()) as pieces:  # type: ignore[type-var]
        async for data in pieces:
            body += data
            if len(body) > _MAX_BODY_BYTES:
                raise SourceFailed("upstream_bad_data", detail="the body is too large")
    return bytes(body)


@contextmanager
def _translated(reader: ChunkReader) -> Iterator[None]:
    """Turn what httpx, its transport and the parsers raise into `SourceFailed`.

    The details name classes, and only errors of the connection itself are chained: the texts of
    the others quote what the upstream sent.
    """
    try:
        yield
    except (SourceFailed, EventTooLarge, httpx.HTTPError, aiohttp.ClientError, OSError) as error:
        if reader.finish_reason is not None:
            return
        if isinstance(error, SourceFailed):
            raise
        cause = error.__cause__ or error
        told = error if isinstance(cause, OSError) else None
        raise SourceFailed(_reason_of(error), detail=type(cause).__name__) from told


def _reason_of(error: Exception) -> str:
    match error:
        case EventTooLarge() | httpx.DecodingError() | aiohttp.ClientResponseError():
            return "upstream_bad_data"
        case httpx.UnsupportedProtocol():
            return "upstream_refused"
    match error.__cause__:
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
            return "upstream_unreachable"
        case _:
            return "upstream_reset"
