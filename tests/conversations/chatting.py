"""Conversations over the API, as a client has them."""

import json
from typing import Any
from uuid import uuid4

from tests.conftest import Client
from tests.streaming.test_sse import parse


async def converse(client: Client, **body: Any) -> str:
    """Create a conversation; returns its id."""
    response = await client.ask("POST", "/api/conversations", body)
    assert response.status_code == 201, response.content
    return str(response.json()["id"])


def script(*steps: dict[str, Any]) -> str:
    """Write a question that the scripted model plays."""
    return json.dumps(list(steps))


async def send(client: Client, conversation: str, content: str, **body: Any) -> Any:
    """Ask; returns the response."""
    path = f"/api/conversations/{conversation}/messages"
    return await client.ask("POST", path, {"content": content, **body})


async def asked(client: Client, conversation: str, content: str, **body: Any) -> str:
    """Ask, and wait for the end; returns the reply's id."""
    response = await send(client, conversation, content, **body)
    assert response.status_code == 202, response.content
    run_id = str(response.json()["run_id"])
    await events(client, run_id)
    return run_id


async def events(client: Client, run_id: str, **headers: str) -> list[dict[str, Any]]:
    """Follow a run to its end."""
    response = await client.ask("GET", f"/api/runs/{run_id}/events", **headers)
    assert response.status_code == 200, response.content
    return await read(response)


async def read(response: Any) -> list[dict[str, Any]]:
    """Read a stream to its end."""
    stream = b"".join([part async for part in response])
    return [{"id": e["id"], **json.loads(e["data"])} for e in parse(stream)]


def text_of(heard: list[dict[str, Any]]) -> str:
    return "".join(event["text"] for event in heard if event["type"] == "delta")


async def messages(client: Client, conversation: str) -> dict[str, dict[str, Any]]:
    """Return the tree by id."""
    response = await client.ask("GET", f"/api/conversations/{conversation}/messages")
    assert response.status_code == 200
    return {message["id"]: message for message in response.json()["messages"]}


def error_of(response: Any) -> tuple[int, str]:
    """Return status and code of an error, after a look at its form."""
    body = response.json()
    assert set(body) == {"error"}, body
    error = body["error"]
    assert isinstance(error["message"], str) and error["message"]
    assert isinstance(error["retryable"], bool)
    if response.status_code in (429, 503):
        assert int(response["Retry-After"]) > 0
    return response.status_code, error["code"]


def new_id() -> str:
    return str(uuid4())
