"""The same chat as the guides write it, for comparison: do not copy from here.

The reply is produced by the response's generator and saved in its `finally`; over a WebSocket it
is produced by a task that nobody holds and saved, unshielded, in `disconnect`. It speaks enough
of the wire for the same clients and the same scripts.
"""

import asyncio
import hashlib
import json
import os
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="naive",
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": os.environ["DATABASE_URL"].removeprefix("sqlite:///"),
            "OPTIONS": {"timeout": 20},
        }
    },
)
django.setup()

from channels.generic.websocket import AsyncJsonWebsocketConsumer  # noqa: E402
from channels.routing import ProtocolTypeRouter  # noqa: E402
from django.core.asgi import get_asgi_application  # noqa: E402
from django.db import connection, models  # noqa: E402
from django.http import HttpRequest, JsonResponse, StreamingHttpResponse  # noqa: E402
from django.urls import path  # noqa: E402


class Reply(models.Model):
    """A row that appears when the whole reply is there."""

    id = models.UUIDField(primary_key=True)
    conversation = models.CharField(max_length=40)
    text = models.TextField()

    class Meta:
        app_label = "naive"

    def __str__(self) -> str:
        return str(self.pk)


if "naive_reply" not in connection.introspection.table_names():
    with connection.schema_editor() as editor:
        editor.create_model(Reply)
connection.close()


async def produce(script: str) -> AsyncIterator[str]:
    """Play the steps of a script, as far as this comparison needs them."""
    for step in json.loads(script)["steps"]:
        for _ in range(step.get("repeat", 1)):
            if "text" in step:
                yield step["text"]
            await asyncio.sleep(step.get("pause_ms", 0) / 1000)
        if "stall" in step:
            await asyncio.sleep(3600)


def event(name: str, **data: Any) -> dict[str, Any]:
    return {"type": name, **data}


def delta(text: str, offset: int) -> dict[str, Any]:
    at = f"1-{offset}" if offset else "0-0"
    return event("delta", part=1, kind="text", at=at, text=text)


def ended(text: str) -> dict[str, Any]:
    digest = hashlib.sha256(text.encode()).hexdigest()
    return event(
        "ended",
        status="completed",
        reason="stop",
        text_length=len(text),
        text_sha256=digest,
        cursor=f"1-{len(text)}",
    )


async def send(request: HttpRequest, conversation: str) -> StreamingHttpResponse:
    body = json.loads(request.body)

    async def stream() -> AsyncIterator[str]:
        text = ""
        try:
            yield "retry: 2000\n\n" + sse(event("started", cursor="0-0"))
            async for piece in produce(body["content"]):
                frame = sse(delta(piece, len(text)))
                text += piece
                yield frame
            yield sse(ended(text))
        finally:
            await Reply(id=body["reply_id"], conversation=conversation, text=text).asave()

    response = StreamingHttpResponse(stream(), content_type="text/event-stream")
    response["Location"] = f"/api/runs/{body['reply_id']}/events"
    return response


def sse(data: dict[str, Any]) -> str:
    return f"event: {data['type']}\ndata: {json.dumps(data)}\n\n"


async def messages(request: HttpRequest, conversation: str) -> Any:
    if request.method == "POST":
        return await send(request, conversation)
    replies = [reply async for reply in Reply.objects.filter(conversation=conversation)]
    found = [
        {
            "id": str(reply.id),
            "role": "assistant",
            "parts": [{"kind": "text", "text": reply.text}],
            "content": reply.text,
            "status": "completed",
            "reason": "stop",
        }
        for reply in replies
    ]
    return JsonResponse({"messages": found})


async def session(request: HttpRequest) -> JsonResponse:
    response = JsonResponse({"user": None})
    response.set_cookie("csrftoken", "naive")
    return response


async def conversations(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"id": str(uuid4())}, status=201)


async def healthz(request: HttpRequest) -> JsonResponse:
    return JsonResponse({})


class Consumer(AsyncJsonWebsocketConsumer):
    """Streams in a task of its own, saves when the socket is closed."""

    async def receive_json(self, content: dict[str, Any]) -> None:
        self.reply = Reply(id=content["reply_id"], conversation=content["conversation_id"], text="")
        asyncio.create_task(self.stream(content))  # noqa: RUF006

    async def stream(self, content: dict[str, Any]) -> None:
        run_id = content["reply_id"]
        await self.send_json(event("accepted", ref=content.get("ref"), run_id=run_id))
        await self.send_json(event("started", run_id=run_id, cursor="0-0"))
        async for piece in produce(content["content"]):
            frame = delta(piece, len(self.reply.text))
            self.reply.text += piece
            await self.send_json(frame | {"run_id": run_id, "cursor": f"1-{len(self.reply.text)}"})
        await self.send_json(ended(self.reply.text) | {"run_id": run_id})

    async def disconnect(self, code: int) -> None:
        await self.reply.asave()


urlpatterns = [
    path("healthz", healthz),
    path("api/session", session),
    path("api/conversations", conversations),
    path("api/conversations/<conversation>/messages", messages),
]

_router = ProtocolTypeRouter({"http": get_asgi_application(), "websocket": Consumer.as_asgi()})


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "lifespan":
        await _router(scope, receive, send)
        return
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
