"""WhiteNoise without a sync-only middleware.

One sync-only middleware moves the whole chain into a thread and makes detached tasks inherit it.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import markcoroutinefunction, sync_to_async
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from whitenoise.middleware import WhiteNoiseMiddleware


class StaticFilesMiddleware(WhiteNoiseMiddleware):
    """Serves static files whether or not collectstatic has run."""

    sync_capable = False
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Awaitable[Any]]) -> None:
        super().__init__(get_response)
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer for a static file, else pass on."""
        found: HttpResponseBase | None = None
        if request.path_info.startswith(self.static_prefix):
            found = await sync_to_async(self._read)(request)
        if found is None:
            found = await self.get_response(request)
        return found

    def _read(self, request: HttpRequest) -> HttpResponse | None:
        path = request.path_info
        found = self.find_file(path) if self.autorefresh else self.files.get(path)
        if found is None:
            return None
        streamed = self.serve(found, request)
        response = HttpResponse(b"".join(streamed.streaming_content), status=streamed.status_code)
        for name, value in streamed.items():
            response[name] = value
        streamed.close()
        return response
