"""Requests that bring an API key: the key alone says who asks, never a cookie beside it."""

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from conversations.accounts import keys
from conversations.accounts.keys import Holder
from conversations.exceptions import NotSignedIn, ScopeMissing
from streaming import facts, threads

SAFE = ("GET", "HEAD", "OPTIONS")
_OF_THE_ACCOUNT = ("leave", "export_account")


def key_of(request: HttpRequest) -> str | None:
    """Return the key that a request brings, right or wrong."""
    return keys.given(request.headers.get("Authorization", ""))


async def bearer(request: HttpRequest, secret: str) -> Any:
    """Return the person of a request's key, who is from now on the request's user.

    Raises:
        NotSignedIn: the key is wrong or revoked; a session beside it is not looked at.
        ScopeMissing: the key is not for this.
    """
    user = (await let_in(secret, scope_of(request))).user

    async def auser() -> Any:
        return user

    request.user, request.auser = user, auser
    facts.note(user_id=user.pk)
    return user


async def let_in(secret: str, scope: str | None) -> Holder:
    """Find a key, and note that it is used.

    Raises:
        NotSignedIn, ScopeMissing
    """
    holder = await threads.read(keys.find, secret)
    if holder is None:
        raise NotSignedIn(_("This API key is wrong or revoked."))
    if scope is not None and not holder.may(scope):
        raise ScopeMissing(scope=scope)
    if keys.is_stale(holder.key):
        await threads.write(keys.note_use, holder.key.pk)
    return holder


def scope_of(request: HttpRequest) -> str:
    """Name what a key must be for."""
    match = request.resolver_match
    if match is not None and match.url_name in _OF_THE_ACCOUNT:
        return keys.ACCOUNT
    return keys.READ if request.method in SAFE else keys.CHAT
