"""Who may look: staff, for as long as they are."""

import time
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine
from contextlib import aclosing
from functools import wraps
from typing import Any, TypeVar

from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase

from conversations.accounts.identity import user_of_session
from conversations.errors import not_found
from streaming import threads
from streaming.conf import conf
from streaming.responses import Slots

T = TypeVar("T")
View = Callable[[HttpRequest], Coroutine[Any, Any, HttpResponseBase]]

_CHECK_SECONDS = 3.0
slots = Slots(50, name="console")
"""Streams of the console in this process."""


def staff_only(view: View) -> View:
    """Show a page to staff; others find nothing here, and who is not signed in is asked to."""

    @wraps(view)
    async def for_staff(request: HttpRequest) -> HttpResponseBase:
        user: Any = await request.auser()
        if not user.is_authenticated and "text/html" in request.headers.get("Accept", ""):
            return redirect_to_login(request.get_full_path())
        if not is_staff(user):
            return not_found(request, Http404())
        return await view(request)

    return for_staff


def is_staff(user: Any) -> bool:
    """Say whether a user may see the console."""
    return bool(user is not None and user.is_active and getattr(user, "is_staff", False))


async def while_staff(request: HttpRequest, items: AsyncIterable[T | None]) -> AsyncGenerator[T]:
    """Pass items on until the session no longer belongs to staff, or its time is over.

    An item of None is no item: it only gives the question its turn.
    """
    key = request.session.session_key
    begun = asked = time.monotonic()
    life = conf().connection_seconds or float("inf")
    async with aclosing(items) as source:  # type: ignore[type-var]
        async for item in source:
            now = time.monotonic()
            if now - begun > life:
                return
            if now - asked > _CHECK_SECONDS:
                asked = now
                if not is_staff(await threads.read(user_of_session, key)):
                    return
            if item is not None:
                yield item
