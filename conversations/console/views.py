"""The console's pages and streams."""

import asyncio
import json
import logging
import os
import time
from collections.abc import AsyncGenerator
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.request import HttpHeaders
from django.http.response import HttpResponseBase
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe
from pydantic import BaseModel, Field, ValidationError

from conversations import conf
from conversations.console.lines import EPOCH, Filter, escaped
from conversations.console.monitor import monitor
from conversations.console.staff import slots, staff_only, while_staff
from conversations.console.watching import log_watch
from conversations.views import catalog, import_map
from streaming import facts
from streaming.responses import EventStreamResponse, ServerEvent, refusal

logger = logging.getLogger(__name__)

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
PROBES = 12
PROBE_SECONDS = 0.25
_MOST_CHARACTERS = 2000
_STATIC = Path(__file__).parent.parent / "static"
_PAGES = {
    "logs": gettext_lazy("Log"),
    "system": gettext_lazy("System"),
    "streams": gettext_lazy("Streams"),
    "path": gettext_lazy("Connection"),
}


class Note(BaseModel):
    """A line that staff write into the log."""

    message: str = Field(min_length=1, max_length=_MOST_CHARACTERS)
    level: str = Field("INFO", pattern=f"^({'|'.join(LEVELS)})$")


@require_safe
@staff_only
async def index(request: HttpRequest) -> HttpResponseBase:
    """Lead to the log."""
    return HttpResponseRedirect(reverse("holdfast:console_logs"))


@require_http_methods(["GET", "HEAD", "POST"])
@staff_only
async def logs(request: HttpRequest) -> HttpResponseBase:
    """Show the live log; a POST writes a line into it."""
    if request.method == "POST":
        return await _write(request)
    return _page(request, "logs", levels=LEVELS)


async def _write(request: HttpRequest) -> HttpResponseBase:
    try:
        note = Note.model_validate_json(request.body)
    except ValidationError:
        return refusal(
            _("Send a message of at most 2,000 characters, and a level."),
            code="invalid_field",
            status=422,
        )
    user: Any = await request.auser()
    level = getattr(logging, note.level)
    message = escaped(note.message).replace("\n", "\\n").replace("\t", "\\t")
    known = {**facts.known(), "staff": str(user.pk)}
    logger.log(level, "%s", message, extra={"facts": known})
    return JsonResponse({"logged": logger.isEnabledFor(level)}, status=201)


@require_safe
@staff_only
@slots.bounded
async def log_stream(request: HttpRequest) -> HttpResponseBase:
    """Stream the log: the last lines, then what comes."""
    given = request.GET.get("level", "")
    level = getattr(logging, given) if given in LEVELS else 0
    wanted = Filter(level, request.GET.get("text", "").lower()[:200])
    epoch, _dash, number = request.headers.get("Last-Event-ID", "").partition("-")
    after = int(number) if epoch == EPOCH and number.isdecimal() else 0
    lines = log_watch().read(wanted, after=after)
    return EventStreamResponse(while_staff(request, lines))


@require_safe
@staff_only
async def system(request: HttpRequest) -> HttpResponseBase:
    """Show how the machine and this process are."""
    return _page(request, "system")


@require_safe
@staff_only
async def streams(request: HttpRequest) -> HttpResponseBase:
    """Show who is connected, and the limits."""
    return _page(request, "streams")


@require_safe
@staff_only
@slots.bounded
async def system_stream(request: HttpRequest) -> HttpResponseBase:
    """Stream the samples."""
    return EventStreamResponse(while_staff(request, monitor().read()))


@require_safe
@staff_only
async def path(request: HttpRequest) -> HttpResponseBase:
    """Show whether the way between browser and server lets streams through."""
    return _page(request, "path", probes=PROBES)


@require_safe
@staff_only
@slots.bounded
async def path_stream(request: HttpRequest) -> HttpResponseBase:
    """Send small events at known times."""

    async def probes() -> AsyncGenerator[ServerEvent]:
        begun = time.monotonic()
        for number in range(PROBES):
            at = round((time.monotonic() - begun) * 1000)
            yield ServerEvent(event="probe", id=str(number), data={"at_ms": at})
            await asyncio.sleep(PROBE_SECONDS)

    return EventStreamResponse(probes())


def _page(request: HttpRequest, name: str, **more: Any) -> HttpResponse:
    get_token(request)  # sets the cookie that unsafe requests answer with
    context: dict[str, Any] = {
        "page": name,
        "title": _PAGES[name],
        "pages": [(f"holdfast:console_{one}", one, title) for one, title in _PAGES.items()],
        "process": os.getpid(),
        "base": reverse("holdfast:new"),
        "csrf_cookie": settings.CSRF_COOKIE_NAME,
        "csrf_header": HttpHeaders.parse_header_name(settings.CSRF_HEADER_NAME),
        "import_map": json.dumps(import_map(*_own_modules())),
        "catalog": catalog(get_language() or "en"),
        "product_name": conf.product_name(),
        **more,
    }
    if hasattr(request, "csp_nonce"):  # else a context processor of the project may name one
        context["csp_nonce"] = request.csp_nonce
    response = render(request, f"conversations/console/{name}.html", context)
    response["Cache-Control"] = "no-store"
    return response


@cache
def _own_modules() -> tuple[str, ...]:
    found = _STATIC.glob("conversations/console/js/*.js")
    return tuple(sorted(one.relative_to(_STATIC).as_posix() for one in found))
