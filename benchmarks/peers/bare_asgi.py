"""The floor: a bare ASGI application, the fastest client, and nothing stored."""

import json
import os
from typing import Any

import aiohttp
import msgspec

BASE_URL = os.environ["OPENAI_BASE_URL"]
HEADERS = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")]


class Delta(msgspec.Struct):
    content: str | None = None


class Choice(msgspec.Struct):
    delta: Delta


class Chunk(msgspec.Struct):
    choices: list[Choice]


chunks = msgspec.json.Decoder(Chunk)
events = msgspec.json.Encoder()
client: aiohttp.ClientSession | None = None


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    elif scope["path"] == "/chat":
        await chat(receive, send)
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def lifespan(receive: Any, send: Any) -> None:
    global client
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            client = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
            await send({"type": "lifespan.startup.complete"})
        else:
            assert client is not None
            await client.close()
            await send({"type": "lifespan.shutdown.complete"})
            return


async def chat(receive: Any, send: Any) -> None:
    assert client is not None
    question = json.loads((await receive())["body"])
    body = {
        "model": question["model"],
        "messages": [{"role": "user", "content": question["content"]}],
        "stream": True,
    }
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    url = f"{BASE_URL}/chat/completions"
    async with client.post(url, json=body, timeout=aiohttp.ClientTimeout(None)) as response:
        rest = b""
        async for data in response.content.iter_any():
            *whole, rest = (rest + data).split(b"\n\n")
            for event in whole:
                if event == b"data: [DONE]":
                    continue
                chunk = chunks.decode(event[6:])
                text = chunk.choices[0].delta.content if chunk.choices else None
                if text:
                    frame = b"data: %b\n\n" % events.encode({"type": "delta", "text": text})
                    await send({"type": "http.response.body", "body": frame, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
