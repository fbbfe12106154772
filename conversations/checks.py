"""System checks of the chat: its settings, and what it needs of the project around it."""

import re
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.shortcuts import resolve_url
from django.template import TemplateDoesNotExist
from django.template.loader import get_template
from django.urls import NoReverseMatch, reverse
from django.utils.module_loading import import_string

from conversations import conf
from conversations.providers import providers

_MIDDLEWARE = (
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
)


@register(Tags.compatibility)
def check_providers(**kwargs: Any) -> list[CheckMessage]:
    """Report providers that cannot be made, and what they say of themselves."""
    if not conf.chat_providers():
        return [
            Error(
                "CHAT_PROVIDERS names no provider, so nobody answers.",
                hint='CHAT_PROVIDERS = {"demo": {"BACKEND":'
                ' "conversations.providers.demo.DemoProvider"}} answers for a start.',
                id="holdfast_conversations.E002",
            )
        ]
    found: list[CheckMessage] = []
    for alias in providers:
        try:
            found.extend(providers[alias].check())
        except Exception as error:  # a backend's constructor may raise anything
            found.append(
                Error(
                    f"CHAT_PROVIDERS[{alias!r}] cannot be made: {type(error).__name__}.",
                    hint="Check BACKEND and OPTIONS.",
                    id="holdfast_conversations.E001",
                )
            )
    return found


@register(Tags.compatibility)
def check_middleware(**kwargs: Any) -> list[CheckMessage]:
    """Report what a request has to pass through before it reaches the chat."""
    there = list(_imported(settings.MIDDLEWARE))
    return [
        Error(
            f"{path!r} is not in MIDDLEWARE.",
            hint="The chat asks it who is there, or whether a request is the person's own.",
            id="holdfast_conversations.E003",
        )
        for path in _MIDDLEWARE
        if not any(_is_a(one, import_string(path)) for one in there)
    ]


def _imported(paths: Iterable[str]) -> Iterable[Any]:
    for path in paths:
        try:
            yield import_string(path)
        except ImportError:
            pass  # Django says so at the first request


def _is_a(found: Any, wanted: type) -> bool:
    return isinstance(found, type) and issubclass(found, wanted)


@register(Tags.urls)
def check_urls(**kwargs: Any) -> list[CheckMessage]:
    """Report where the chat's pages cannot be reached, or cannot lead on."""
    if not getattr(settings, "ROOT_URLCONF", None):
        return []
    found: list[CheckMessage] = []
    try:
        base = reverse("holdfast:new")
    except NoReverseMatch:
        base = ""
    if not base.endswith("/"):
        found.append(
            Error(
                "The chat's URLs are not included, or not below a path that ends with a slash.",
                hint='path("assistant/", include("conversations.urls"))',
                id="holdfast_conversations.E004",
            )
        )
    try:
        resolve_url(settings.LOGIN_URL)
    except NoReverseMatch:
        found.append(
            Error(
                f"LOGIN_URL is {settings.LOGIN_URL!r}, which no URL has as its name.",
                hint="The chat's page links to it for people who are not signed in.",
                id="holdfast_conversations.E005",
            )
        )
    return found


@register(Tags.templates)
def check_template(**kwargs: Any) -> list[CheckMessage]:
    """Report that no template engine finds the page."""
    try:
        get_template("conversations/chat.html")
    except TemplateDoesNotExist:
        return [
            Error(
                "No engine of TEMPLATES finds 'conversations/chat.html'.",
                hint='Let one DjangoTemplates engine have "APP_DIRS": True.',
                id="holdfast_conversations.E006",
            )
        ]
    return []


@register(Tags.compatibility)
def check_channel_layer(**kwargs: Any) -> list[CheckMessage]:
    """Warn where the tabs of a person cannot tell each other what changed."""
    if "default" in (getattr(settings, "CHANNEL_LAYERS", None) or {}):
        return []
    return [
        Warning(
            "CHANNEL_LAYERS has no 'default': a person's other tabs learn nothing of changes.",
            hint='{"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}} suffices for'
            " one process.",
            id="holdfast_conversations.W001",
        )
    ]


@register(Tags.security)
def check_csrf_cookie(**kwargs: Any) -> list[CheckMessage]:
    """Report that the page cannot read the token which its requests must carry."""
    hidden = [
        name for name in ("CSRF_USE_SESSIONS", "CSRF_COOKIE_HTTPONLY") if getattr(settings, name)
    ]
    return [
        Error(
            f"{name} keeps the CSRF token from the chat's page.",
            hint="The page reads the token from its cookie; set it to False.",
            id="holdfast_conversations.E007",
        )
        for name in hidden
    ]


@register(Tags.compatibility)
def check_time_zone(**kwargs: Any) -> list[CheckMessage]:
    """Report times without an offset, which no client could place."""
    if settings.USE_TZ:
        return []
    return [
        Error(
            "USE_TZ is False, but the API's times have an offset.",
            hint="Set USE_TZ to True; pages go on showing the times of TIME_ZONE.",
            id="holdfast_conversations.E009",
        )
    ]


@register(Tags.compatibility)
def check_guests(**kwargs: Any) -> list[CheckMessage]:
    """Report users of whom no second guest could be made."""
    if not conf.guests_allowed():
        return []
    users = get_user_model()
    return [
        Error(
            f"ALLOW_GUESTS is on, but guests have no {name!r}, which {users._meta.label} wants to"
            " be unique.",
            hint="Set ALLOW_GUESTS to False, or let the field be null for guests.",
            id="holdfast_conversations.E008",
        )
        for name in fields_that_guests_lack(users)
    ]


def fields_that_guests_lack(users: Any) -> list[str]:
    """List what must be unique and comes from a person alone."""
    return [
        field.name
        for field in users._meta.concrete_fields
        if field.unique
        and not (field.primary_key or field.null)
        and not (field.has_default() and callable(field.default))
        and field.name != users.USERNAME_FIELD
    ]


@register(Tags.security)
def check_cors_origins(**kwargs: Any) -> list[CheckMessage]:
    """Report origins that no browser would send."""
    return [
        Error(
            f"CORS_ALLOWED_ORIGINS has {origin!r}, which is no origin.",
            hint="Scheme, host and maybe a port, no path and no stars: https://app.example",
            id="holdfast_conversations.E040",
        )
        for origin in conf.cors_allowed_origins()
        if not re.fullmatch(r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::\d+)?", origin)
    ]
