"""A model that costs nothing: chat completions at a steady pace, one write per token.

Run as a process of its own: `python -m benchmarks.upstream PORT`. The name of the model says what
it does: `pace-20-400` gives 400 tokens, 20 each second, the first at once. Each token carries the
moment of its write, on the clock that all processes of one machine share.
"""

import asyncio
import json
import re
import sys
import time
from typing import cast

import uvloop

TOKEN = re.compile(rb"~(\d{15})")
"""A token as it travels: microseconds of the monotonic clock."""

_MODEL = re.compile(rb'"model"\s*:\s*"pace-(\d+)-(\d+)"')
_LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)
_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
    b"Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n"
)
_CHUNK = (
    b'data: {"id":"chatcmpl-DkTzQ3R9mJxLr0vW6uYb","object":"chat.completion.chunk",'
    b'"created":1763700000,"model":"pace","service_tier":"default",'
    b'"system_fingerprint":"fp_3f58d112f7","choices":[{"index":0,"delta":%b,'
    b'"logprobs":null,"finish_reason":%b}]}\n\n'
)


def event(delta: dict[str, str], finish_reason: str | None = None) -> bytes:
    """Write one chunk of a completion as it looks on the wire of a common upstream."""
    return _CHUNK % (
        json.dumps(delta, separators=(",", ":")).encode(),
        json.dumps(finish_reason).encode(),
    )


class Completion(asyncio.Protocol):
    """One connection, kept alive for the next request."""

    def __init__(self) -> None:
        self._received = b""
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._loop = asyncio.get_running_loop()

    def connection_lost(self, error: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not found or (length and len(body) < int(length[1])):
            return
        self._received = b""
        model = _MODEL.search(body)
        assert model, body
        self._every = 1 / int(model[1])
        self._left = int(model[2])
        self._due = self._loop.time()
        self._transport.write(_HEAD + _framed(event({"role": "assistant", "content": ""})))
        self._say()

    def _say(self) -> None:
        if not self._left:
            usage = b'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":9}}\n\n'
            last = event({}, "stop") + usage + b"data: [DONE]\n\n"
            self._transport.write(_framed(last) + b"0\r\n\r\n")
            return
        self._left -= 1
        token = f"~{time.monotonic_ns() // 1000:015}"
        self._transport.write(_framed(event({"content": token})))
        self._due += self._every
        self._timer = self._loop.call_at(self._due, self._say)


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def serve(port: int) -> None:
    """Serve until the process is ended."""
    server = await asyncio.get_running_loop().create_server(
        Completion, "127.0.0.1", port, backlog=4096
    )
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
