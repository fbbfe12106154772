"""A scriptable upstream: speaks chat completions, byte for byte as it is told.

It takes any POST to `…/chat/completions`. The last user message may be a script, a JSON object:

    {"status": 200, "headers": {"X-Any": "1"}, "framing": "chunked" | "length" | "close",
     "split": 0, "split_pause_ms": 1, "steps": [...]}

`split` writes the body in pieces of so many bytes, each in a packet of its own. Steps:

    {"text": "a"} {"reasoning": "a", "field": "reasoning"} {"finish": "stop"} {"usage": [3, 5]}
    {"done": true}                      the usual events; `repeat` and `pause_ms` go with each,
                                        `together` writes so many in one piece, `grow` makes a
                                        text so many times as long
    {"event": {...}}                    `data:` with this JSON
    {"send": "text"} {"hex": "00ff"}    exact bytes of the body
    {"pause_ms": 5} {"stall": true}     silence; forever
    {"reset": true} {"close": true}     RST; FIN without the end of the body
    {"raw": "text"}                     exact bytes in place of the whole answer, head and all

Any other message is said back word by word with usage and `[DONE]`; where an assistant message
follows it, from behind as much text as that has. A model named `status-429`
answers with that status, one named `paced-20` says a word every 20 ms, and what it goes
on with at once.

`python -m tests.upstream --port 0` prints the address of its base URL and serves until it is ended.
"""

import argparse
import asyncio
import contextlib
import json
import re
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

REASON = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 429: "Too Many Requests"}


class _HungUp(Exception):
    """The script ends the connection."""


@dataclass
class Seen:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the client has closed the connection, or the answer is complete."""
    completed: bool = False


class FakeUpstream:
    """The server; `async with FakeUpstream() as upstream`."""

    def __init__(self, *, port: int = 0, hosts: Sequence[str] = ("127.0.0.1",)) -> None:
        self.port = port
        self.hosts = hosts
        self.seen: list[Seen] = []
        self.connections = 0
        self._arrived = asyncio.Condition()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def __aenter__(self) -> "FakeUpstream":
        self._server = await asyncio.start_server(self._accept, self.hosts, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def wait_for_requests(self, count: int) -> None:
        """Wait until so many requests have arrived in all."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.seen) >= count)

    async def serve_forever(self) -> None:
        assert self._server is not None
        await self._server.serve_forever()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            early = b""
            while seen := await self._read(reader, early):
                self.seen.append(seen)
                async with self._arrived:
                    self._arrived.notify_all()
                early = await self._answer_unless_gone(seen, reader, writer)
        except (_HungUp, ConnectionError, asyncio.IncompleteReadError):
            pass
        except asyncio.CancelledError:
            pass  # only `__aexit__` cancels, and asyncio's streams log what comes out of here
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _read(self, reader: asyncio.StreamReader, early: bytes) -> Seen | None:
        try:
            head = early + await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")[:-2]
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        return Seen(first.split()[1], headers, json.loads(body or b"{}"))

    async def _answer_unless_gone(
        self, seen: Seen, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bytes:
        """Answer, but notice a client that hangs up: it sends nothing before the answer's end.

        Returns:
            What it sent right behind that end, before we could look away: the next request's first.
        """
        answer = asyncio.ensure_future(_Answer(seen, writer).write())
        gone = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait([answer, gone], return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise _HungUp
            await answer
            seen.completed = True
        finally:
            answer.cancel()
            gone.cancel()
            await asyncio.gather(answer, gone, return_exceptions=True)
            seen.gone.set()
        if not gone.done() or gone.cancelled():
            return b""
        if early := gone.result():
            return early
        raise _HungUp


class _Answer:
    def __init__(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._script = _script_of(seen.body)
        self._chunked = self._script.get("framing", "chunked") == "chunked"

    async def write(self) -> None:
        script = self._script
        steps = script.get("steps", [])
        if steps and "raw" in steps[0]:
            await self._send(steps[0]["raw"].encode("latin-1"))
            steps = [*steps[1:], {"close": True}]
        else:
            await self._send(self._head(steps))
        for step in steps:
            await self._play(step)
        if self._chunked:
            await self._send(b"0\r\n\r\n")
        elif script.get("framing") == "close":
            raise _HungUp

    def _head(self, steps: list[dict[str, Any]]) -> bytes:
        status = self._script.get("status", 200)
        headers = {"Content-Type": "text/event-stream"} | self._script.get("headers", {})
        match self._script.get("framing", "chunked"):
            case "chunked":
                headers["Transfer-Encoding"] = "chunked"
            case "length":
                headers.setdefault("Content-Length", str(sum(len(_bytes_of(s)) for s in steps)))
            case _:
                headers["Connection"] = "close"
        lines = [f"HTTP/1.1 {status} {REASON.get(status, 'Any')}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    async def _play(self, step: dict[str, Any]) -> None:
        if "stall" in step:
            await asyncio.Event().wait()
        if "reset" in step:
            sock = self._writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._writer.transport.abort()
            raise _HungUp
        if "close" in step:
            raise _HungUp
        data = _bytes_of(step | {"repeat": 1}) * step.get("together", 1)
        for _ in range(step.get("repeat", 1)):
            if data:
                await self._body(data)
            await asyncio.sleep(step.get("pause_ms", 0) / 1000)

    async def _body(self, data: bytes) -> None:
        size = self._script.get("split") or len(data)
        for at in range(0, len(data), size):
            piece = data[at : at + size]
            await self._send(b"%x\r\n%b\r\n" % (len(piece), piece) if self._chunked else piece)
            if size < len(data):
                await asyncio.sleep(self._script.get("split_pause_ms", 1) / 1000)

    async def _send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()


def _script_of(body: dict[str, Any]) -> dict[str, Any]:
    model = str(body.get("model", ""))
    if model.startswith("status-"):
        return {"status": int(model.removeprefix("status-")), "steps": [{"send": "secret body"}]}
    users = [m["content"] for m in body.get("messages", []) if m["role"] == "user"]
    asked = users[-1] if users else ""
    with contextlib.suppress(ValueError):
        script = json.loads(asked)
        if isinstance(script, dict):
            return script
    words = asked.split()
    last = body["messages"][-1] if body.get("messages") else {"role": "user"}
    behind = len(last["content"]) if last["role"] == "assistant" else 0
    is_paced = model.startswith("paced-") and not behind
    pause = int(model.removeprefix("paced-")) if is_paced else 0
    whole = "".join(f"{word} " for word in words)[behind:]
    said = [{"text": word, "pause_ms": pause} for word in re.findall(r"\S* ", whole)]
    rest = [{"finish": "stop"}, {"usage": [len(words), len(words)]}, {"done": True}]
    return {"steps": [*said, *rest]}


def _bytes_of(step: dict[str, Any]) -> bytes:
    match step:
        case {"send": text}:
            data = text.encode("utf-8", "surrogatepass")
        case {"hex": digits}:
            data = bytes.fromhex(digits)
        case {"event": event}:
            data = _event(event)
        case {"text": text}:
            data = _delta({"content": text * int(step.get("grow", 1))})
        case {"reasoning": text}:
            data = _delta({step.get("field", "reasoning_content"): text})
        case {"finish": reason}:
            data = _delta({}, reason)
        case {"usage": [given, said]}:
            usage = {"prompt_tokens": given, "completion_tokens": said}
            data = _event({"choices": [], "usage": usage})
        case {"done": _}:
            data = b"data: [DONE]\n\n"
        case _:
            data = b""
    return data * int(step.get("repeat", 1))


def _delta(delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return _event({"object": "chat.completion.chunk", "choices": [choice]})


def _event(event: Any) -> bytes:
    return f"data: {json.dumps(event)}\n\n".encode()


async def _main() -> None:
    parser = argparse.ArgumentParser(description="A scriptable chat-completions upstream.")
    parser.add_argument("--port", type=int, default=0)
    async with FakeUpstream(port=parser.parse_args().port) as upstream:
        print(upstream.base_url, flush=True)  # noqa: T201
        await upstream.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main())
