"""What the handshake of a WebSocket tells about whoever opened it."""

from types import SimpleNamespace
from typing import Any, cast

from django.http import HttpRequest, parse_cookie
from django.utils.translation import get_language_from_request


def cookies_of(scope: Any) -> dict[str, str]:
    """Return the cookies of a handshake."""
    return parse_cookie(_header(scope, b"cookie"))


def language_of(scope: Any) -> str:
    """Name the language of whoever opens a socket, found as LocaleMiddleware does for pages."""
    meta = {"HTTP_ACCEPT_LANGUAGE": _header(scope, b"accept-language")}
    told = SimpleNamespace(COOKIES=cookies_of(scope), META=meta)
    return get_language_from_request(cast("HttpRequest", told))


def _header(scope: Any, wanted: bytes) -> str:
    return next((v.decode("latin1") for name, v in scope["headers"] if name == wanted), "")
