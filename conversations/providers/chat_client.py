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
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from math import inf
from typing import Any

import aiohttp
import httpx
import msgspec
from httpx_aiohttp import AiohttpTransport

from conversations.providers.chunks import ChunkReader, reason_of_status
from conversations.providers.sse_parser import EventTooLarge, SSEParser
from streaming import pacing
from streaming.pacing import Pace
from streaming.source import Finish, Item, SourceFailed

_LINGER_SECONDS = 2.0  # for the usage that follows the finish reason
_CLOSING_SECONDS = 0.05  # for the end of the body behind [DONE], so that the connection is kept
_KEEPALIVE_SECONDS = 4.0  # below the five seconds after which common servers hang up
_STATUS_SECONDS = 5.0
_MAX_BODY_BYTES = 8 * 1024 * 1024
_ANSWER = "aiohttp_response"
Read = Callable[[], Awaitable[bytes]]


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
        # One generator without layers: each of them would cost as much as reading a token.
        reader = ChunkReader()
        request = self._request(endpoint, body)
        with _translated(reader):
            response = await self._open().send(request, stream=True)
            try:
                is_stream = _is_event_stream(response)
                async with _reading(response) as read:
                    if is_stream:
                        parser = SSEParser(max_event_bytes=self._max_event_bytes)
                        anything = False
                        until = inf
                        pace = pacing.current()
                        while not reader.done:
                            if reader.finish_reason is None:
                                data = await read()
                            else:
                                until = min(until, time.monotonic() + _LINGER_SECONDS)
                                data = await _before(until, read)
                            if not data:
                                break
                            anything = anything or not data.isspace()
                            for item in reader.read_all(parser.feed(data)):
                                yield item
                            if pace is not None and reader.finish_reason is None:
                                _rest(response, pace)
                        if reader.done:
                            await _drop(read)
                        for item in _tail(parser, reader):
                            yield item
                        if anything and not parser.fields:
                            raise SourceFailed("upstream_bad_data", detail="no event stream")
                    else:
                        for item in reader.read(await _whole(read)):
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
                transport=_Transport(limits=self._limits, client=self._session),
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


class _Transport(AiohttpTransport):
    """Hands on aiohttp's own response.

    Its body is read there, which httpx does through five generators, and its socket can rest.
    """

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        stream: Any = response.stream
        response.extensions[_ANSWER] = stream._aiohttp_response
        return response


def _is_event_stream(response: httpx.Response) -> bool:
    """Say whether the answer is a stream or one JSON object.

    Raises:
        SourceFailed: it is neither.
    """
    status = response.status_code
    if status != httpx.codes.OK:
        raise SourceFailed(reason_of_status(status), detail=f"HTTP {status}")
    kind: str = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in ("text/html", "application/xhtml+xml"):
        raise SourceFailed("upstream_bad_data", detail=kind)
    return kind != "application/json"


@asynccontextmanager
async def _reading(response: httpx.Response) -> AsyncGenerator[Read]:
    """Give what reads the next piece of the body; it returns nothing at the end."""
    if "content-encoding" in response.headers:
        async with aclosing(response.aiter_bytes()) as pieces:  # type: ignore[type-var]
            yield lambda: anext(pieces, b"")
    else:
        yield response.extensions[_ANSWER].content.readany


def _rest(response: httpx.Response, pace: Pace) -> None:
    """Leave what comes next in the socket until the next turn."""
    connection = response.extensions[_ANSWER].connection
    transport = None if connection is None else connection.transport
    if transport is not None:  # else the body is at its end
        transport.pause_reading()
        pace.rest(transport.resume_reading)


async def _before(until: float, read: Read) -> bytes:
    """Read, or return nothing once it is too late."""
    try:
        async with asyncio.timeout(until - time.monotonic()):
            return await read()
    except TimeoutError:
        return b""


async def _drop(read: Read) -> None:
    """Read what stands behind the end, for a moment: then the connection can be used again."""
    until = time.monotonic() + _CLOSING_SECONDS
    while await _before(until, read):
        pass


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


async def _whole(read: Read) -> bytes:
    body = bytearray()
    while data := await read():
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
