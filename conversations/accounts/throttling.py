"""Waits between attempts to sign in: for an account from one address, an account, an address.

Somebody who guesses waits longer and longer. Whose account it is waits little: the count for the
account alone stays short, and a browser in which they signed in before is not counted there at all
(a signed cookie says so), so that guesses from everywhere do not lock them out.
"""

import hashlib
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.crypto import constant_time_compare
from django.utils.translation import ngettext

from conversations import conf
from conversations.accounts.attempts import Counted, Rule, succeeded, try_now
from conversations.limits.addresses import address_of_request

View = Callable[..., HttpResponseBase]

PAIR = Rule("pair", free=5, longest_seconds=900)
ACCOUNT = Rule("account", free=50, longest_seconds=30)
ADDRESS = Rule("address", free=100, longest_seconds=900)
MAIL = Rule("mail", free=3, longest_seconds=900)
MAIL_ADDRESS = Rule("mail address", free=10, longest_seconds=900)

_COOKIE = "holdfast_known"
_SALT = "conversations.accounts.throttling"
_COOKIE_SECONDS = 60 * 60 * 24 * 365


def throttled(view: View) -> View:
    """Let a view that takes `username` and `password` be tried with growing waits."""

    @wraps(view)
    def careful(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method != "POST":
            return view(request, *args, **kwargs)
        name = _name(request.POST.get("username", ""))
        address = address_of_request(request)
        counted = [Counted(PAIR, f"{name}\n{address}"), Counted(ADDRESS, address)]
        if not _is_known(request, name):
            counted.append(Counted(ACCOUNT, name))
        wait = try_now(counted)
        if wait:
            return wait_page(request, wait)
        response = view(request, *args, **kwargs)
        if _let_in(request, response):
            succeeded(counted, forgiven=PAIR)
            _remember(response, name)
        return response

    return careful


def throttled_password(view: View) -> View:
    """Let a signed-in person's password be tried with growing waits: for a stolen session."""

    @wraps(view)
    def careful(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method != "POST":
            return view(request, *args, **kwargs)
        counted = password_of(request.user.pk)
        wait = try_now(counted)
        if wait:
            return wait_page(request, wait)
        response = view(request, *args, **kwargs)
        if _let_in(request, response):
            succeeded(counted, forgiven=PAIR)
        return response

    return careful


def password_of(user_id: Any) -> list[Counted]:
    """Say what an attempt counts against where a signed-in person is asked for their password."""
    return [Counted(PAIR, f"password of {user_id}")]


def throttled_mail(view: View) -> View:
    """Let e-mails be asked for with growing waits, for one mailbox and from one address."""

    @wraps(view)
    def careful(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "POST":
            mailbox = _name(request.POST.get("email", ""))
            wait = try_now(
                [Counted(MAIL, mailbox), Counted(MAIL_ADDRESS, address_of_request(request))]
            )
            if wait:
                return wait_page(request, wait)
        return view(request, *args, **kwargs)

    return careful


def wait_page(request: HttpRequest, seconds: int) -> HttpResponse:
    """Ask for patience, in words and by `Retry-After`."""
    message = ngettext(
        "Too many attempts. Try again in %(seconds)s second.",
        "Too many attempts. Try again in %(seconds)s seconds.",
        seconds,
    ) % {"seconds": seconds}
    context = {"message": message, "product_name": conf.product_name()}
    response = render(request, "conversations/error.html", context, status=429)
    response["Retry-After"] = str(seconds)
    response._has_been_logged = True  # type: ignore[attr-defined]  # see django.utils.log
    return response


def _name(given: Any) -> str:
    return str(given).strip().casefold()[:500]


def _let_in(request: HttpRequest, response: HttpResponseBase) -> bool:
    return response.status_code == 302 and request.user.is_authenticated


def _mark(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()


def _is_known(request: HttpRequest, name: str) -> bool:
    try:
        given = signing.loads(request.COOKIES.get(_COOKIE, ""), salt=_SALT, max_age=_COOKIE_SECONDS)
    except signing.BadSignature:
        return False
    return constant_time_compare(str(given), _mark(name))


def _remember(response: HttpResponseBase, name: str) -> None:
    response.set_cookie(
        _COOKIE,
        signing.dumps(_mark(name), salt=_SALT),
        max_age=_COOKIE_SECONDS,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )
