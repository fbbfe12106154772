"""Pages. The chat is one static shell; what it shows comes from the API."""

import json
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.request import HttpHeaders
from django.middleware.csrf import get_token
from django.shortcuts import render, resolve_url
from django.templatetags.static import static
from django.urls import get_script_prefix, reverse
from django.utils.translation import get_language, to_locale
from django.utils.translation.trans_real import DjangoTranslation

from conversations import conf
from conversations.templatetags.holdfast import languages

_STATIC = Path(__file__).parent / "static"


async def new_conversation(request: HttpRequest) -> HttpResponse:
    """Show the chat with nothing in it; nobody and nothing is created by looking."""
    return _chat(request)


async def conversation(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """Show the chat; the page asks the API whether there is such a conversation."""
    return _chat(request)


def _chat(request: HttpRequest) -> HttpResponse:
    get_token(request)  # sets the cookie that unsafe requests answer with
    context: dict[str, Any] = {
        "product_name": conf.product_name(),
        "base": reverse("holdfast:new"),
        "csrf_cookie": settings.CSRF_COOKIE_NAME,
        "csrf_header": HttpHeaders.parse_header_name(settings.CSRF_HEADER_NAME),
        "import_map": json.dumps(import_map()),
        "catalog": catalog(get_language() or "en"),
        "guests": conf.guests_allowed(),
        "sign_in": resolve_url(settings.LOGIN_URL),
        "languages": json.dumps(languages()),
    }
    if hasattr(request, "csp_nonce"):  # else a context processor of the project may name one
        context["csp_nonce"] = request.csp_nonce
    response = render(request, "conversations/chat.html", context)
    response["Cache-Control"] = "no-cache"
    return response


def import_map(*more: str) -> dict[str, dict[str, str]]:
    """Map the modules' plain addresses, by which they import each other, to the hashed ones.

    Args:
        more: modules beside the page's own, as static files are named.
    """
    prefix = settings.STATIC_URL
    if not prefix.startswith(("/", "http:", "https:")):
        prefix = get_script_prefix() + prefix
    return {"imports": {f"{prefix}{module}": static(module) for module in (*_modules(), *more)}}


@cache
def _modules() -> tuple[str, ...]:
    """List our modules and the vendored ones, as static files are named; not the admin's."""
    found = [path for path in _STATIC.glob("conversations/*/*.js") if path.parent.name != "admin"]
    return tuple(sorted(path.relative_to(_STATIC).as_posix() for path in found))


@cache
def catalog(language: str) -> dict[str, Any]:
    """Return what the page's modules say, in a language."""
    locale = Path(__file__).parent / "locale"
    found = DjangoTranslation(language, domain="djangojs", localedirs=[str(locale)])
    texts: dict[str, Any] = {}
    for key, text in found._catalog.items():  # type: ignore[attr-defined]
        if isinstance(key, tuple):
            texts.setdefault(key[0], {})[key[1]] = text
        elif key:
            texts[key] = text
    for key, forms in texts.items():
        if isinstance(forms, dict):
            texts[key] = [forms[index] for index in sorted(forms)]
    one_form = to_locale(language).startswith("zh")
    return {"language": language, "catalog": texts, "plural": "0" if one_form else "n != 1"}
