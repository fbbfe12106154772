"""The plain FastAPI way: a client for each request, lines, a save in a task at the end."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

BASE_URL = os.environ["OPENAI_BASE_URL"]
engine = create_async_engine(os.environ["PEER_DATABASE_URL"], connect_args={"timeout": 30})
new_session = async_sessionmaker(engine, expire_on_commit=False)
saves: set[asyncio.Task[None]] = set()


class Base(DeclarativeBase):
    """Tables of this application."""


class Message(Base):
    """One message of a conversation."""

    __tablename__ = "messages"
    id: Mapped[int] = mapped_column(primary_key=True)
    conversation_id: Mapped[str]
    role: Mapped[str]
    content: Mapped[str]
    created_at: Mapped[datetime]


class Question(BaseModel):
    """What the browser sends."""

    conversation_id: str
    content: str
    model: str


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


async def save(question: Question, reply: str) -> None:
    now = datetime.now(UTC)
    async with new_session() as session:
        for role, content in (("user", question.content), ("assistant", reply)):
            session.add(
                Message(
                    conversation_id=question.conversation_id,
                    role=role,
                    content=content,
                    created_at=now,
                )
            )
        await session.commit()


def save_later(question: Question, parts: list[str]) -> None:
    """Save in a task of its own: the request may be cancelled, and this with it."""
    task = asyncio.create_task(save(question, "".join(parts)))
    saves.add(task)
    task.add_done_callback(saves.discard)


async def generate(question: Question) -> AsyncIterator[str]:
    parts: list[str] = []
    body = {
        "model": question.model,
        "messages": [{"role": "user", "content": question.content}],
        "stream": True,
    }
    try:
        async with httpx.AsyncClient(timeout=None) as client:
            url = f"{BASE_URL}/chat/completions"
            async with client.stream("POST", url, json=body) as response:
                async for line in response.aiter_lines():
                    if not line.startswith("data: ") or line == "data: [DONE]":
                        continue
                    chunk = json.loads(line.removeprefix("data: "))
                    if not chunk["choices"]:
                        continue
                    text = chunk["choices"][0]["delta"].get("content")
                    if text:
                        parts.append(text)
                        yield f"data: {json.dumps({'type': 'delta', 'text': text})}\n\n"
        yield f"data: {json.dumps({'type': 'done'})}\n\n"
    finally:
        save_later(question, parts)


@app.post("/chat")
async def chat(question: Question) -> StreamingResponse:
    return StreamingResponse(generate(question), media_type="text/event-stream")
