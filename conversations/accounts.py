"""Who is asking: the session's user, and guests, who become users at their first unsafe request."""

import secrets
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    alogin,
    get_user_model,
)
from django.contrib.sessions.backends.db import SessionStore
from django.db import transaction
from django.http import HttpRequest
from django.http.request import split_domain_port, validate_host
from django.utils.crypto import constant_time_compare
from ninja.utils import check_csrf

from conversations.exceptions import BadOrigin, CsrfFailed, UnsupportedType
from conversations.models import Guest, Person
from streaming import threads

_SAFE = ("GET", "HEAD", "OPTIONS")


def is_same_origin(origin: str, host: str) -> bool:
    """Say whether a page of this origin may send to this host what changes something."""
    if origin in settings.CSRF_TRUSTED_ORIGINS:
        return True
    try:
        found = urlsplit(origin)
    except ValueError:
        return False
    if found.scheme not in ("http", "https") or found.netloc.lower() != host.lower():
        return False
    domain, _ = split_domain_port(host)
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)


async def signed_in(request: HttpRequest) -> Any:
    """Return the user of a request; make a guest where that is allowed.

    Returns:
        None where nobody is signed in and a guest may not be made.
    Raises:
        UnsupportedType: a body that is not JSON.
        BadOrigin: an unsafe method from another site.
        CsrfFailed: an unsafe method without its token.
    """
    if request.method not in _SAFE:
        # Before the CSRF check, which would parse a form.
        if request.content_type not in ("", "application/json") and request.body:
            raise UnsupportedType
        origin = request.headers.get("Origin")
        if origin is not None and not is_same_origin(origin, request.get_host()):
            raise BadOrigin
        if check_csrf(request) is not None:
            raise CsrfFailed
    user = await request.auser()
    if user.is_authenticated:
        return user
    if request.method in _SAFE or not settings.ALLOW_GUESTS:
        return None
    guest = await threads.write(_make_guest)
    await alogin(request, guest, backend="django.contrib.auth.backends.ModelBackend")
    return guest


def _make_guest() -> Any:
    with transaction.atomic():
        users = get_user_model()
        guest = users._default_manager.model(
            **{users.USERNAME_FIELD: f"guest-{secrets.token_hex(8)}"}
        )
        guest.set_unusable_password()
        guest.save()
        Guest.objects.create(user=guest)
        Person.objects.create(user=guest)
        return guest


def user_of_session(session_key: str | None) -> Any:
    """Return the active user that a session belongs to, or None; synchronous, for sockets."""
    if not session_key:
        return None
    session = SessionStore(session_key)
    user_id = session.get(SESSION_KEY)
    if user_id is None or session.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        return None
    user = get_user_model()._default_manager.filter(pk=user_id, is_active=True).first()
    if user is None:
        return None
    # A changed password ends the session.
    given = str(session.get(HASH_SESSION_KEY, ""))
    return user if constant_time_compare(given, user.get_session_auth_hash()) else None
