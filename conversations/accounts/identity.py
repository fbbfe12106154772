"""Who is asking: an API key's owner, the session's user, or a guest, made when one is needed."""

from collections.abc import Sequence
from copy import copy
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import (
    BACKEND_SESSION_KEY,
    HASH_SESSION_KEY,
    SESSION_KEY,
    alogin,
    get_user_model,
    load_backend,
)
from django.http import HttpRequest, QueryDict
from django.http.request import split_domain_port, validate_host
from django.shortcuts import resolve_url
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.utils.http import is_same_domain
from django.utils.translation import gettext as _
from ninja.utils import check_csrf

from conversations import conf
from conversations.accounts import guests
from conversations.accounts.bearing import SAFE, bearer, key_of
from conversations.exceptions import BadOrigin, CsrfFailed, TooManyRequests, UnsupportedType
from conversations.limits import rates
from conversations.limits.addresses import address_of_request
from streaming import facts, metrics, threads
from streaming.conf import conf as streaming_conf

GUESTS_PER_MINUTE = 600
"""New ones from one address."""
_MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"


def is_same_origin(origin: str, host: str) -> bool:
    """Say whether a page of this origin may send to this host what changes something."""
    try:
        found = urlsplit(origin)
    except ValueError:
        return False
    if any(_covers(trusted, origin) for trusted in settings.CSRF_TRUSTED_ORIGINS):
        return True
    if found.scheme not in ("http", "https") or found.netloc.lower() != host.lower():
        return False
    domain, _ = split_domain_port(host)
    allowed = settings.ALLOWED_HOSTS
    if settings.DEBUG and not allowed:  # as in HttpRequest.get_host
        allowed = [".localhost", "127.0.0.1", "[::1]"]
    return bool(domain) and validate_host(domain, allowed)


def _covers(trusted: str, origin: str) -> bool:
    """Say whether an entry of CSRF_TRUSTED_ORIGINS, maybe `https://*.example.com`, means this."""
    scheme, _, host = trusted.partition("://")
    given, _, name = origin.partition("://")
    return given == scheme and is_same_domain(name, host.lstrip("*"))


async def signed_in_with_form(request: HttpRequest) -> Any:
    """Do as `signed_in` for a request that brings a file; its form is not read for the check."""
    if request.content_type != "multipart/form-data":
        raise UnsupportedType(_("Send multipart/form-data."))
    headers_alone = copy(request)
    headers_alone.POST = QueryDict()
    return await _person(request, checked=headers_alone)


async def signed_in_with_file(request: HttpRequest) -> Any:
    """Do as `signed_in` for a request whose body is a file, or a form with one."""
    headers_alone = copy(request)
    headers_alone.POST = QueryDict()
    return await _person(request, checked=headers_alone)


async def signed_in(request: HttpRequest) -> Any:
    """Return the user of a request; make a guest where that is allowed.

    Returns:
        None where nobody is signed in and a guest may not be made.
    Raises:
        NotSignedIn: an API key that is wrong; a session beside it does not count.
        ScopeMissing: an API key that is for something else.
        UnsupportedType: a body that is not JSON.
        BadOrigin: an unsafe method from another site.
        CsrfFailed: an unsafe method without its token.
        TooManyRequests: another guest from where too many came from.
    """
    if request.method not in SAFE:
        # Before the CSRF check, which would parse a form.
        if request.content_type not in ("", "application/json") and request.body:
            raise UnsupportedType
    return await _person(request, checked=request)


async def _person(request: HttpRequest, *, checked: HttpRequest) -> Any:
    """Return who asks; `checked` is the request as the CSRF check may read it."""
    key = key_of(request)
    if key is not None:
        return await bearer(request, key)  # no browser adds a key by itself: nothing to forge
    if request.method not in SAFE:
        origin = request.headers.get("Origin")
        if origin is not None and not is_same_origin(origin, request.get_host()):
            raise BadOrigin
        if check_csrf(checked) is not None:
            raise CsrfFailed
    user = await request.auser()
    if user.is_authenticated:
        facts.note(user_id=user.pk)
        return user
    if request.method in SAFE or not conf.guests_allowed():
        return None
    await _check_rate_of_guests(request)
    guest = await threads.write(guests.make)
    await alogin(request, guest, backend=backend_for_guests())
    facts.note(user_id=guest.pk)
    return guest


async def _check_rate_of_guests(request: HttpRequest) -> None:
    """Refuse another guest from an address of too many; off where starts are not limited so.

    Raises:
        TooManyRequests
    """
    address = address_of_request(request)
    if not address or not streaming_conf().starts_per_minute_per_address:
        return
    wait = await rates.count("guests", address, most_per_minute=GUESTS_PER_MINUTE)
    if wait:
        metrics.limits_hit.labels("guests_per_minute_per_address").inc()
        raise TooManyRequests(
            _("Too many requests come from your network; try again in a moment."),
            retry_after_seconds=wait,
        )


async def check_key(request: HttpRequest) -> None:
    """Let everybody in whose key, if they bring one, is right.

    Raises:
        NotSignedIn, ScopeMissing
    """
    key = key_of(request)
    if key is not None:
        await bearer(request, key)


async def visitor(request: HttpRequest) -> Any:
    """Return the key's or the session's user, or an anonymous one; nobody is made.

    Raises:
        NotSignedIn, ScopeMissing: of an API key.
    """
    key = key_of(request)
    return await request.auser() if key is None else await bearer(request, key)


def sign_in_is_ours() -> bool:
    """Say whether people of this project sign in on our pages: LOGIN_URL."""
    return resolve_url(settings.LOGIN_URL) == reverse("holdfast:sign_in")


def backend_for_guests() -> str:
    """Name the backend that will know a guest by its session."""
    backends: Sequence[str] = settings.AUTHENTICATION_BACKENDS
    return _MODEL_BACKEND if _MODEL_BACKEND in backends else backends[0]


def user_of_session(session_key: str | None) -> Any:
    """Return the active user that a session belongs to, or None; synchronous, for sockets."""
    if not session_key:
        return None
    session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    user_id, backend = session.get(SESSION_KEY), session.get(BACKEND_SESSION_KEY)
    if user_id is None or backend not in settings.AUTHENTICATION_BACKENDS:
        return None
    user: Any = load_backend(backend).get_user(get_user_model()._meta.pk.to_python(user_id))
    if user is None:
        return None
    # A changed password ends the session; a changed SECRET_KEY does not, while it is a fallback.
    given = str(session.get(HASH_SESSION_KEY, ""))
    hashes = (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash())
    return user if any(constant_time_compare(given, one) for one in hashes) else None
