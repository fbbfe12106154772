"""Errors as the contract writes them, over HTTP."""

import functools
import logging
from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    JsonResponse,
)
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language, gettext
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from conversations import conf
from conversations.exceptions import (
    BadJson,
    ChatError,
    CsrfFailed,
    InvalidField,
    MethodNotAllowed,
    NotFound,
    NotSignedIn,
    StorageUnavailable,
    TooLarge,
)
from streaming import threads

logger = logging.getLogger(__name__)


def respond(error: ChatError) -> HttpResponse:
    """Write an error as its response."""
    response = JsonResponse(error.body(), status=error.http_status)
    if error.retry_after_seconds is not None:
        response["Retry-After"] = str(error.retry_after_seconds)
    if error.http_status == 401:
        response["WWW-Authenticate"] = "Bearer"
    return unlogged(response)


def unlogged(response: HttpResponse) -> HttpResponse:
    """Keep Django from logging a refusal: a 503 that we mean is no error of ours."""
    response._has_been_logged = True  # type: ignore[attr-defined]  # see django.utils.log
    return response


def install(api: NinjaAPI) -> None:
    """Make the API answer every error by the contract."""
    for kind in (
        *(ChatError, ValidationError, AuthenticationError, HttpError, Http404),
        *(RequestDataTooBig, Exception),
    ):
        api.add_exception_handler(kind, _answer)


def _answer(request: HttpRequest, error: Any) -> HttpResponse:
    match error:
        case ChatError():
            return respond(error)
        case ValidationError():
            return respond(invalid(error.errors))
        case AuthenticationError():
            return respond(NotSignedIn())
        case HttpError():
            # ninja wraps whatever its parser raised.
            cause = error.__cause__ or error.__context__
            known = isinstance(cause, ChatError | RequestDataTooBig)
            return _answer(request, cause) if known else respond(BadJson())
        case Http404():
            return respond(NotFound())
        case RequestDataTooBig():
            return respond(TooLarge())
        case _ if isinstance(error, threads.AWAY):
            logger.warning("A request found storage unavailable: %s", type(error).__name__)
            return respond(StorageUnavailable())
    # Also while DEBUG=1: a client of the API reads JSON, and we read the log.
    logger.error("%s %s failed", request.method, request.path, exc_info=error)
    return server_error(request)


_PLACES = ("body", "payload", "path", "query")
"""Where the validator found a field; its name says enough."""


def invalid(found: list[dict[str, Any]]) -> InvalidField:
    """Turn the first validation error into the contract's, which names the field."""
    first = found[0]
    place = [str(step) for step in first.get("loc", ()) if step not in _PLACES]
    field = ".".join(place) or "body"
    return InvalidField(f"{field}: {_reason(first)}", field=field)


def _reason(found: dict[str, Any]) -> str:
    """Say what does not fit: in our words where it is frequent, else in the validator's."""
    match found.get("type"):
        case "missing":
            return gettext("is missing")
        case "string_too_long" if "ctx" in found:
            return str(gettext("is longer than %(max_length)s characters") % found["ctx"])
        case "value_error":
            return gettext(str(found["msg"]).removeprefix("Value error, "))
    if get_language() == "en":
        return str(found.get("msg", "does not fit"))
    return gettext("does not fit")


def refusing_methods(view: Callable[..., Any]) -> Callable[..., Any]:
    """Let a view of the API refuse methods by the contract; Django and ninja use plain text."""

    def said(response: HttpResponseBase) -> HttpResponseBase:
        if not isinstance(response, HttpResponseNotAllowed):
            return response
        answer = respond(MethodNotAllowed())
        answer["Allow"] = response["Allow"]
        return answer

    @functools.wraps(view)
    async def asynchronous(*args: Any, **kwargs: Any) -> HttpResponseBase:
        return said(await view(*args, **kwargs))

    @functools.wraps(view)
    def synchronous(*args: Any, **kwargs: Any) -> HttpResponseBase:
        return said(view(*args, **kwargs))

    return asynchronous if iscoroutinefunction(view) else synchronous


def no_such_endpoint(request: HttpRequest, rest: str) -> HttpResponse:
    """Answer for paths of the API that do not exist, also while DEBUG=1."""
    return respond(NotFound())


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a failed CSRF check; settings name it."""
    return respond(CsrfFailed()) if _is_of_api(request) else _page(request, CsrfFailed())


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer for what does not exist."""
    return respond(NotFound()) if _is_of_api(request) else _page(request, NotFound())


def _is_of_api(request: HttpRequest) -> bool:
    return request.path.startswith(reverse("holdfast:api:api-root"))


def _page(request: HttpRequest, error: ChatError) -> HttpResponse:
    context = {"message": str(error), "product_name": conf.product_name()}
    return render(request, "conversations/error.html", context, status=error.http_status)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer for what we did wrong."""
    body = {"code": "internal", "message": gettext("Something went wrong here."), "retryable": True}
    return JsonResponse({"error": body}, status=500)
