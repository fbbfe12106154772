"""A project of streaming responses alone, which tells what it still holds."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from django.conf import settings

from streaming.handler import get_asgi_application

http = get_asgi_application()
settings.ROOT_URLCONF = __name__

from django.contrib.auth import get_user_model  # noqa: E402
from django.http import HttpRequest, JsonResponse  # noqa: E402
from django.urls import path  # noqa: E402

from streaming import responses  # noqa: E402
from streaming.asgi import wrap  # noqa: E402

application = wrap(http)

held: "Counter[str]" = Counter()
slots = responses.Slots(3, name="here")


async def endless(piece: Any) -> AsyncIterator[Any]:
    """Hold something for as long as it is iterated."""
    held["generators"] += 1
    try:
        while True:
            yield piece
            await asyncio.sleep(0.01)
    finally:
        await asyncio.sleep(0)  # a generator may take its time to let go
        held["generators"] -= 1


class Disk:
    """An endless file that knows whether it is open."""

    def __init__(self) -> None:
        held["files"] += 1

    def seek(self, position: int) -> int:
        return position

    def read(self, size: int) -> bytes:
        return b"x" * size

    def close(self) -> None:
        held["files"] -= 1


@slots.bounded
async def events(request: HttpRequest) -> Any:
    await get_user_model()._default_manager.acount()
    return responses.EventStreamResponse(endless({"word": "x" * 1000}))


@slots.bounded
async def silent(request: HttpRequest) -> Any:
    async def waits() -> AsyncIterator[str]:
        held["generators"] += 1
        try:
            yield "first"
            await asyncio.Event().wait()
        finally:
            held["generators"] -= 1

    return responses.EventStreamResponse(waits())


@slots.bounded
async def text(request: HttpRequest) -> Any:
    return responses.TextStreamResponse(responses.coalesced(endless("x" * 1000), every_ms=20))


@slots.bounded
async def lines(request: HttpRequest) -> Any:
    return responses.LinesStreamResponse(endless({"word": "x" * 1000}))


@slots.bounded
async def table(request: HttpRequest) -> Any:
    rows = endless({"word": "x" * 1000})
    return responses.TableResponse(rows, columns=["word"], name="words.csv")


@slots.bounded
async def file(request: HttpRequest) -> Any:
    disk: Any = Disk
    download = responses.Download(open=disk, size=2**40, etag='"x"', content_type="video/mp4")
    return await responses.serve_file(request, download)


async def still_held(request: HttpRequest) -> Any:
    tasks = [task for task in asyncio.all_tasks() if task.get_name() == "pump"]
    return JsonResponse(
        {**held, "open": responses.open_streams(), "slots": slots.taken, "pumps": len(tasks)}
    )


urlpatterns = [
    *(path(view.__name__, view) for view in (events, silent, text, lines, table, file)),
    path("held", still_held),
    path("healthz", still_held),
]
