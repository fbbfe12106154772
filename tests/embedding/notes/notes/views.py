import asyncio
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_GET, require_POST

from notes.models import Note
from streaming import runs
from streaming.cursor import BadCursor
from streaming.responses import EventStreamResponse
from streaming.source import Finish, Source, Text
from streaming.subscription import NoSuchRun


@ensure_csrf_cookie
async def desk(request: HttpRequest) -> HttpResponse:
    return HttpResponse("Ask for a note.")


async def recite(topic: str, first: int = 1) -> Source:
    """Say something: any async generator of these items is a source."""
    for number in range(first, 41):
        yield Text(f"Verse {number} of 40, on {topic}.\n")
        await asyncio.sleep(0.03)
    yield Finish()


@require_POST
async def ask(request: HttpRequest) -> HttpResponseBase:
    note = Note(topic=request.POST["topic"])
    source = recite(note.topic)
    try:
        await runs.start(source, run_id=note.id, write=note.save, about={"topic": note.topic})
    except runs.NotReady:
        return HttpResponse(status=503, headers={"Retry-After": "2"})
    response = EventStreamResponse(await runs.follow(note.id))
    response.headers["Location"] = reverse("events", args=[note.id])
    return response


@require_GET
async def events(request: HttpRequest, note_id: UUID) -> HttpResponseBase:
    # Whether this person may read the note is asked here.
    try:
        subscription = await runs.resume(request, note_id)
    except NoSuchRun:
        raise Http404 from None
    except BadCursor:
        return HttpResponseBadRequest("That is no place in this note.")
    return EventStreamResponse(subscription) if subscription else HttpResponse(status=204)


@require_POST
async def stop(request: HttpRequest, note_id: UUID) -> HttpResponse:
    await runs.stop(note_id)
    return HttpResponse(status=202)
