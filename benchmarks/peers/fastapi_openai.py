"""FastAPI with the openai client and sse-starlette."""

import json
import os
from collections.abc import AsyncIterator

from fastapi import FastAPI
from openai import AsyncOpenAI
from sse_starlette import EventSourceResponse

from benchmarks.peers.fastapi_httpx import Question, lifespan, save_later

app = FastAPI(lifespan=lifespan)
client = AsyncOpenAI(base_url=os.environ["OPENAI_BASE_URL"], api_key="none", timeout=None)


async def generate(question: Question) -> AsyncIterator[dict[str, str]]:
    parts: list[str] = []
    try:
        stream = await client.chat.completions.create(
            model=question.model,
            messages=[{"role": "user", "content": question.content}],
            stream=True,
        )
        async for chunk in stream:
            text = chunk.choices[0].delta.content if chunk.choices else None
            if text:
                parts.append(text)
                yield {"event": "delta", "data": json.dumps({"text": text})}
        yield {"event": "done", "data": "{}"}
    finally:
        save_later(question, parts)


@app.post("/chat")
async def chat(question: Question) -> EventSourceResponse:
    return EventSourceResponse(generate(question))
