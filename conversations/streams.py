"""Streams as plain async views: follow a run, and answer a start with its own subscription."""

from collections.abc import Coroutine
from typing import Any, TypeVar
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.http.response import HttpResponseBase

from conversations.accounts import signed_in
from conversations.conversing import owns_reply
from conversations.errors import respond
from conversations.exceptions import (
    BadCursorGiven,
    ChatError,
    NotFound,
    NotSignedIn,
    StorageUnavailable,
)
from conversations.shapes import events_path
from conversations.starting import Begun
from streaming import runs, workers
from streaming.cursor import BadCursor, Cursor
from streaming.responses import EventStreamResponse, TextStreamResponse
from streaming.subscription import NoSuchRun, Subscription

S = TypeVar("S")


async def events(request: HttpRequest, run_id: UUID) -> HttpResponseBase:
    """Subscribe to a run or resume: `GET /api/runs/{id}/events`."""
    if request.method != "GET":
        return HttpResponseNotAllowed(["GET"])
    try:
        user = await signed_in(request)
        if user is None:
            raise NotSignedIn
        if not await sync_to_async(owns_reply)(user.pk, run_id):
            raise NotFound
        return await _follow(request, run_id, user.pk)
    except ChatError as error:
        return respond(error)
    except (DatabaseError, InterfaceError):
        return respond(StorageUnavailable())


async def _follow(request: HttpRequest, run_id: UUID, user_id: Any) -> HttpResponseBase:
    subscription = await _contracted(runs.resume(request, run_id), run_id)
    if subscription is None:
        return HttpResponse(status=204)
    subscription.reader_key = str(user_id)
    return stream(request, subscription) or EventStreamResponse(subscription)


async def _contracted(subscribing: Coroutine[Any, Any, S], run_id: UUID) -> S:
    """Subscribe, in the contract's errors.

    Raises:
        NotFound: the reply is gone.
        BadCursorGiven: malformed, or beyond the end, which it names.
    """
    try:
        return await subscribing
    except NoSuchRun:
        raise NotFound from None
    except BadCursor:
        raise BadCursorGiven(cursor=str(await _end(run_id))) from None


async def _end(run_id: UUID) -> Cursor:
    feed = await workers.current().feed(run_id)
    if feed is None:
        raise NotFound
    return feed.transcript.end


def stream(request: HttpRequest, subscription: Subscription) -> HttpResponseBase | None:
    """Answer with a stream if the client accepts one by name; None where it wants JSON."""
    accepted = request.headers.get("Accept", "")
    if "text/event-stream" in accepted:
        return EventStreamResponse(subscription)
    if "text/plain" in accepted:
        return TextStreamResponse(subscription)
    return None


async def answer_start(request: HttpRequest, begun: Begun) -> HttpResponseBase:
    """Answer a start: with its subscription, or 202 and where to find it."""
    path = events_path(begun.run_id)
    accepted = request.headers.get("Accept", "")
    if "text/event-stream" in accepted or "text/plain" in accepted:
        following = runs.follow(begun.run_id, begun.after)
        subscription = await _contracted(following, begun.run_id)
        subscription.reader_key = str(request.auth.pk)  # type: ignore[attr-defined]
        response = stream(request, subscription)
        assert response is not None
    else:
        body = {"run_id": begun.run_id, "message_id": begun.question_id, "events": path}
        response = JsonResponse(body, status=202)
    response.headers["Location"] = path
    return response
