"""Cross-origin requests to the API: from pages of CORS_ALLOWED_ORIGINS, with an API key alone.

Without Access-Control-Allow-Credentials no browser shows such a page what a cookie let in.
"""

from collections.abc import Awaitable, Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.decorators import async_only_middleware

from conversations import conf
from conversations.accounts.bearing import key_of

_METHODS = "GET, POST, PATCH, DELETE"
_MAY_SEND = (
    "Authorization, Content-Type, Accept, Accept-Language, Last-Event-ID, Range, If-Range,"
    " If-None-Match"
)
_MAY_READ = (
    "Location, Retry-After, Content-Disposition, Content-Range, Accept-Ranges, ETag,"
    " WWW-Authenticate, X-Request-ID"
)
_PREFLIGHT_SECONDS = 600


@async_only_middleware
def CorsMiddleware(
    get_response: Callable[[HttpRequest], Awaitable[HttpResponseBase]],
) -> Callable[[HttpRequest], Awaitable[HttpResponseBase]]:
    """Answer preflights of allowed origins, and let their pages read answers to an API key."""

    async def middleware(request: HttpRequest) -> HttpResponseBase:
        allowed = conf.cors_allowed_origins()
        if not allowed or not request.path.startswith(reverse("holdfast:api:api-root")):
            return await get_response(request)
        origin = request.headers.get("Origin", "")
        preflight = request.method == "OPTIONS" and (
            "Access-Control-Request-Method" in request.headers
        )
        if preflight and origin in allowed:
            response: HttpResponseBase = _preflight()
        else:
            response = await get_response(request)
        patch_vary_headers(response, ["Origin"])
        if origin in allowed and (preflight or key_of(request) is not None):
            response["Access-Control-Allow-Origin"] = origin
            response["Access-Control-Expose-Headers"] = _MAY_READ
        return response

    return middleware


def _preflight() -> HttpResponse:
    headers = {
        "Access-Control-Allow-Methods": _METHODS,
        "Access-Control-Allow-Headers": _MAY_SEND,
        "Access-Control-Max-Age": str(_PREFLIGHT_SECONDS),
    }
    return HttpResponse(status=204, headers=headers)
