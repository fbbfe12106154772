"""One's own account over the API: leaving it. Taking one's data along is in `exports_api`."""

from functools import partial

from django.contrib.auth import alogout
from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Router
from ninja.responses import Status
from pydantic import BaseModel, Field

from conversations.accounts import leaving
from conversations.accounts.attempts import succeeded, try_now
from conversations.accounts.bearing import key_of
from conversations.accounts.guests import is_guest
from conversations.accounts.throttling import PAIR, password_of
from conversations.exceptions import InvalidField, TooManyRequests
from conversations.requests import StorableText
from streaming import threads

router = Router()


class LeaveBody(BaseModel):
    """Says that a person means it."""

    confirm: StorableText = Field(max_length=200, description="One's name; a guest's may be any.")
    password: str | None = Field(None, max_length=1000, description="Of whoever has one.")


@router.delete("/account", response={204: None})
async def leave(request: HttpRequest, payload: LeaveBody) -> Status[None]:
    """Delete oneself and everything of one's own."""
    user = request.auth  # type: ignore[attr-defined]
    guest = await threads.read(is_guest, user)
    if not payload.confirm.strip() or not (guest or payload.confirm == user.get_username()):
        raise InvalidField(_("confirm: is not your name"), field="confirm")
    if user.has_usable_password():
        if not payload.password:
            raise InvalidField(_("password: is missing"), field="password")
        counted = password_of(user.pk)
        if wait := await threads.write(try_now, counted):
            raise TooManyRequests(retry_after_seconds=wait)
        if not await user.acheck_password(payload.password):
            raise InvalidField(_("password: is wrong"), field="password")
        await threads.write(partial(succeeded, counted, forgiven=PAIR))
    await leaving.leave(user)
    if key_of(request) is None:
        await alogout(request)
    return Status(204, None)
