"""What goes wrong at the boundary, each with its place in the contract.

ChatError
├── CallerError            the request cannot be served as it is
│   ├── BadJson  BadCursorGiven  InvalidField  UnknownModel  TooLarge  UnsupportedType
│   ├── NotSignedIn  ScopeMissing  FiguresRefused  BadOrigin  NotFound  MethodNotAllowed
│   ├── ReplyInProgress  IdReused
│   └── OverLimit → TooManyRuns  TooManyRequests  TokenBudget  TooManyConnections
└── NotNow                 the same request may be served later
    └── Draining  StorageUnavailable  ServerFull
"""

from typing import Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class ChatError(Exception):
    """Base of everything that a client is told.

    Args:
        message: for people; never an exception's text.
        extra: further members of the error object.
    """

    code: ClassVar[str]
    http_status: ClassVar[int]
    retryable: ClassVar[bool] = False
    message: ClassVar[str | Promise] = ""
    retry_after_seconds: int | None = None

    def __init__(self, message: str | Promise = "", **extra: Any) -> None:
        super().__init__(message or self.message)
        self.extra = extra

    def body(self) -> dict[str, Any]:
        """Return the error object of the contract."""
        error = {"code": self.code, "message": str(self), "retryable": self.retryable}
        if self.retry_after_seconds is not None:
            # In a frame of a socket there is no header for it.
            error["retry_after_seconds"] = self.retry_after_seconds
        return {"error": {**error, **self.extra}}


class CallerError(ChatError):
    """The request cannot be served as it is."""


class BadJson(CallerError):
    """The body is not a JSON object."""

    code, http_status, message = "bad_json", 400, _("The body is not a JSON object.")


class BadCursorGiven(CallerError):
    """Malformed, or beyond the end."""

    code, http_status = "bad_cursor", 400
    message = _("The cursor is malformed or lies beyond the end.")


class NotSignedIn(CallerError):
    """Nobody is signed in."""

    code, http_status, message = "not_signed_in", 401, _("Please sign in.")


class ScopeMissing(CallerError):
    """The API key is for something else; `scope` names what it would need."""

    code, http_status = "scope_missing", 403
    message = _("This API key is not for that.")


class CsrfFailed(CallerError):
    """An unsafe method without its token."""

    code, http_status = "csrf_failed", 403
    message = _("The CSRF token is missing or wrong; reload the page.")


class BadOrigin(CallerError):
    """A page of another site asks."""

    code, http_status, message = "bad_origin", 403, _("Requests from this origin are refused.")


class FiguresRefused(CallerError):
    """The figures are for the staff."""

    code, http_status, message = "staff_only", 403, _("This is for the staff.")


class NotFound(CallerError):
    """Does not exist, or belongs to somebody else."""

    code, http_status, message = "not_found", 404, _("There is nothing here.")


class MethodNotAllowed(CallerError):
    """The path knows other methods; the header `Allow` names them."""

    code, http_status = "method_not_allowed", 405
    message = _("This cannot be done here.")


class ReplyInProgress(CallerError):
    """The conversation's reply is in flight."""

    code, http_status, retryable = "reply_in_progress", 409, True
    message = _("A reply is in progress in this conversation.")


class IdReused(CallerError):
    """The id was used for something else."""

    code, http_status = "id_reused", 409
    message = _("This id was used for another request.")


class TooLarge(CallerError):
    """The body or message is over its limit."""

    code, http_status, message = "too_large", 413, _("The request is too large.")


class UnsupportedType(CallerError):
    """The body's type is not JSON."""

    code, http_status = "unsupported_type", 415
    message = _("Send application/json.")


class InvalidField(CallerError):
    """A field does not fit; `field` names it."""

    code, http_status, message = "invalid_field", 422, _("A field does not fit.")


class UnknownModel(CallerError):
    """The model is not offered."""

    code, http_status, message = "unknown_model", 422, _("This model is not offered.")


class OverLimit(CallerError):
    """A limit is reached."""

    http_status, retryable = 429, True

    def __init__(
        self, message: str | Promise = "", *, retry_after_seconds: int = 5, **extra: Any
    ) -> None:
        super().__init__(message, **extra)
        self.retry_after_seconds = retry_after_seconds


class TooManyRuns(OverLimit):
    """Too many replies are in flight."""

    code, message = "too_many_runs", _("Too many replies are in progress; wait for one to end.")


class TooManyRequests(OverLimit):
    """Too many starts in a minute."""

    code, message = "too_many_requests", _("Too many requests; slow down a little.")


class TokenBudget(OverLimit):
    """The day's tokens are spent."""

    code = "token_budget"
    message = _("You have used up what you may use in a day; it begins anew at midnight (UTC).")


class TooManyConnections(OverLimit):
    """Too many streams and sockets of one person are open."""

    code = "too_many_connections"
    message = _("Too many connections of yours are open; close a tab or two.")


class NotNow(ChatError):
    """The same request may be served later, here or elsewhere."""

    http_status, retryable, retry_after_seconds = 503, True, 2


class Draining(NotNow):
    """The server is about to restart."""

    code, message = "draining", _("The server is restarting; try again.")


class StorageUnavailable(NotNow):
    """The database does not answer."""

    code, message = "storage_unavailable", _("Storage is not available right now; try again.")


class ServerFull(NotNow):
    """There is no room for another connection."""

    code, message = "server_full", _("The server is full right now; try again in a moment.")
    retry_after_seconds = 10
