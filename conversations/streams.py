"""Streams as plain async views: follow a run, and answer a start with its own subscription."""

from collections.abc import Coroutine
from typing import Any, TypeVar
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.http.response import HttpResponseBase

from conversations import replies
from conversations.accounts.bearing import key_of
from conversations.accounts.identity import signed_in
from conversations.conversing import owns_reply
from conversations.errors import respond
from conversations.exceptions import (
    BadCursorGiven,
    ChatError,
    NotFound,
    NotSignedIn,
    ServerFull,
    StorageUnavailable,
    TooManyConnections,
)
from conversations.limits.addresses import address_of_request
from conversations.requests import Start
from conversations.shapes import events_path
from conversations.starting import Begun
from streaming import facts, runs, threads, workers
from streaming.connections import NoRoom, Place
from streaming.cursor import BadCursor, Cursor
from streaming.handler import give_back_here
from streaming.responses import EventStreamResponse, TextStreamResponse
from streaming.subscription import NoSuchRun, Subscription

S = TypeVar("S")


def take_place(user_id: Any) -> Place:
    """Take a place among the open connections.

    Raises:
        TooManyConnections, ServerFull
    """
    try:
        return workers.current().connections.take(str(user_id))
    except NoRoom as error:
        if error.limit == "connections_per_worker":
            raise ServerFull from None
        raise TooManyConnections from None


async def events(request: HttpRequest, run_id: UUID) -> HttpResponseBase:
    """Subscribe to a run or resume: `GET /api/runs/{id}/events`."""
    if request.method != "GET":
        return HttpResponseNotAllowed(["GET"])
    try:
        return await _follow(request, run_id, await _reader_of(request, run_id))
    except ChatError as error:
        return respond(error)
    except threads.AWAY:
        return respond(StorageUnavailable())


async def _reader_of(request: HttpRequest, run_id: UUID) -> Any:
    """Return whose reply it is that is asked for.

    Raises:
        NotSignedIn, NotFound, and what `signed_in` raises.
    """
    if key_of(request) is None:
        user_id, owns = await sync_to_async(_find_reader)(request, run_id)
    else:
        user = await signed_in(request)
        user_id = None if user is None else user.pk
        owns = await sync_to_async(owns_reply)(user_id, run_id)
    if user_id is None:
        raise NotSignedIn
    facts.note(user_id=user_id)
    if not owns:
        raise NotFound
    return user_id


def _find_reader(request: HttpRequest, run_id: UUID) -> tuple[Any, bool]:
    """Look up session, person and reply in one go, then give the connection back.

    When a thousand readers come back at once the event loop is late, and there are few connections:
    one that is held across three of its turns is one that others wait for.
    """
    try:
        if not request.user.is_authenticated:
            return None, False
        return request.user.pk, owns_reply(request.user.pk, run_id)
    finally:
        give_back_here()


async def _follow(request: HttpRequest, run_id: UUID, user_id: Any) -> HttpResponseBase:
    facts.note(run_id=run_id)
    place = take_place(user_id)
    try:
        subscription = await _contracted(runs.resume(request, run_id), run_id)
    except BaseException:  # cancelled or failed: what was taken is given back
        place.leave()
        raise
    if subscription is None:
        place.leave()
        return HttpResponse(status=204)
    subscription.place = place
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
    accepted = _accepted(request)
    if "text/event-stream" in accepted:
        return EventStreamResponse(subscription)
    if "text/plain" in accepted:
        return TextStreamResponse(subscription)
    return None


def _accepted(request: HttpRequest) -> str:
    return request.headers.get("Accept", "")


async def start_and_answer(request: HttpRequest, user: Any, start: Start) -> HttpResponseBase:
    """Start, and answer with the subscription, or with 202 and where to find it.

    Raises:
        CallerError, NotNow: nothing was started.
    """
    wants_stream = any(kind in _accepted(request) for kind in ("text/event-stream", "text/plain"))
    # Before the start: what has begun is not refused for want of room.
    place = take_place(user.pk) if wants_stream else None
    try:
        begun = await replies.start(user.pk, start, address=address_of_request(request))
        return await _answer_start(request, user, begun, place)
    except BaseException:  # cancelled or failed: what was taken is given back
        if place is not None:
            place.leave()
        raise


async def _answer_start(
    request: HttpRequest, user: Any, begun: Begun, place: Place | None
) -> HttpResponseBase:
    facts.note(run_id=begun.run_id)
    path = events_path(begun.run_id)
    if place is not None:
        following = runs.follow(begun.run_id, begun.after)
        subscription = await _contracted(following, begun.run_id)
        subscription.place = place
        subscription.reader_key = str(user.pk)
        response = stream(request, subscription)
        assert response is not None
    else:
        body = {"run_id": begun.run_id, "message_id": begun.question_id, "events": path}
        response = JsonResponse(body, status=202)
    response.headers["Location"] = path
    return response
