"""Views that stream, for the tests of the handler."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path

from streaming import runs
from streaming.handler import give_back
from streaming.subscription import NoSuchRun

closed: list[str] = []
"""Names of responses and streams that were closed, in order."""

resting: list[str] = []
"""Paths of the requests that wait for something else than the database."""


async def _count_users() -> int:
    return await get_user_model()._default_manager.acount()


async def _wait_forever() -> AsyncIterator[bytes]:
    try:
        yield b"first"
        await asyncio.Event().wait()
    finally:
        closed.append("stream")


async def _break() -> AsyncIterator[bytes]:
    try:
        yield b"first"
        raise RuntimeError("planted")
    finally:
        closed.append("stream")


def _streaming(stream: AsyncIterator[bytes]) -> StreamingHttpResponse:
    response = StreamingHttpResponse(stream)
    response._resource_closers.append(lambda: closed.append("response"))
    return response


async def waits(request: HttpRequest) -> StreamingHttpResponse:
    """Touch the database, then stream without end."""
    await _count_users()
    return _streaming(_wait_forever())


async def breaks(request: HttpRequest) -> StreamingHttpResponse:
    """Touch the database, then raise in mid-stream."""
    await _count_users()
    return _streaming(_break())


async def plain(request: HttpRequest) -> HttpResponse:
    """Touch the database and answer."""
    return HttpResponse(str(await _count_users()))


async def hangs(request: HttpRequest) -> HttpResponse:
    """Hold a connection and never answer."""
    await sync_to_async(get_user_model()._default_manager.count)()
    await asyncio.Event().wait()
    raise AssertionError


async def rests(request: HttpRequest) -> HttpResponse:
    """Touch the database, give it back, and wait for something else."""
    await _count_users()
    await give_back()
    resting.append(request.path)
    await asyncio.Event().wait()
    raise AssertionError


async def resumes(request: HttpRequest) -> HttpResponse:
    """Touch the database, then come back to a reply that is not there."""
    await _count_users()
    resting.append(request.path)
    try:
        await runs.resume(request, uuid4())
    except NoSuchRun:
        return HttpResponse("gone")
    raise AssertionError


urlpatterns = [
    path("resumes", resumes),
    path("rests", rests),
    path("waits", waits),
    path("breaks", breaks),
    path("plain", plain),
    path("hangs", hangs),
]
