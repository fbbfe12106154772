"""A bounded number of streams at a time; who comes beyond is told when to come again."""

import weakref
from collections import Counter
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext

from streaming import metrics

P = ParamSpec("P")
View = Callable[P, Coroutine[Any, Any, HttpResponseBase]]

_all: "weakref.WeakSet[Slots]" = weakref.WeakSet()


class Slots:
    """Lets so many streams of a kind be open in this process.

    Args:
        most: how many; 0 for any number. A callable is asked each time.
        name: what the figures call them.
        key: whose slots a request takes, e.g. a person's; by default all share them.
        retry_after_seconds: what a refused client is told.
    """

    def __init__(
        self,
        most: int | Callable[[], int],
        *,
        name: str,
        key: Callable[[HttpRequest], Any] | None = None,
        retry_after_seconds: int = 5,
    ) -> None:
        self._most = most
        self._key = key
        self._retry_after_seconds = retry_after_seconds
        self._taken: Counter[Any] = Counter()
        self.name = name
        self.refused = 0
        """How many were refused so far."""
        _all.add(self)

    @property
    def most(self) -> int:
        """How many may be open, for one key; 0 for any number."""
        return self._most() if callable(self._most) else self._most

    @property
    def taken(self) -> int:
        """How many are open, over all keys."""
        return self._taken.total()

    def bounded(self, view: "View[P]") -> "View[P]":
        """Give a view's response a slot, until it is closed; without one, answer 503.

        A response that does not stream, and an error, give the slot back at once.
        """

        @wraps(view)
        async def bounded_view(*args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            request: Any = args[0]
            slot = self.take(request)
            if slot is None:
                return refusal(
                    gettext("Too many streams are open; try again soon."),
                    retry_after_seconds=self._retry_after_seconds,
                )
            try:
                response = await view(*args, **kwargs)
            except BaseException:  # cancelled or failed: the slot is free again
                slot()
                raise
            if response.streaming:
                response._resource_closers.append(slot)  # type: ignore[attr-defined]
                # Middleware may put another response in its place, which nobody closes then.
                weakref.finalize(response, slot).atexit = False
            else:
                slot()
            return response

        return bounded_view

    def take(self, request: HttpRequest) -> Callable[[], None] | None:
        """Take a slot; None where there is none.

        Returns:
            What gives it back; harmless when repeated.
        """
        key = None if self._key is None else self._key(request)
        most = self.most
        if most and self._taken[key] >= most:
            self.refused += 1
            metrics.limits_hit.labels(f"slots_{self.name}").inc()
            return None
        self._taken[key] += 1
        held = [key]

        def give_back() -> None:
            if held:
                self._taken[held.pop()] -= 1
                if not self._taken[key]:
                    del self._taken[key]

        return give_back


def every() -> "list[Slots]":
    """List what is bounded in this process."""
    return sorted(_all, key=lambda slots: slots.name)


def refusal(
    message: str,
    *,
    code: str = "too_many_streams",
    status: int = 503,
    retry_after_seconds: int | None = None,
) -> JsonResponse:
    """Refuse before a stream begins, with a status that says so: none of it in a 200.

    Args:
        retry_after_seconds: when to come again; None where coming again is of no use.
    """
    error = {"code": code, "message": message, "retryable": retry_after_seconds is not None}
    response = JsonResponse({"error": error}, status=status)
    if retry_after_seconds is not None:
        response["Retry-After"] = str(retry_after_seconds)
    response._has_been_logged = True  # type: ignore[attr-defined]  # we mean it: no error of ours
    return response
