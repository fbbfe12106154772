"""Django's ASGI handler, taught three things about streams.

(a) Each request has a thread of its own that can be parked; (b) a response that streams gives the
request's database connections and its thread back before the first byte; (c) a response is always
closed, whatever its stream raised or whoever cancelled it (Django 5.2 to 6.1 skip it, and with it
the connection's return to the pool; no ticket found).
"""

import asyncio
import contextvars
from typing import Any

import django
from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler
from django.db import connections
from django.http import HttpResponseBase

from streaming.threads import ParkableThread

_bodies: contextvars.ContextVar[list[Any]] = contextvars.ContextVar("request_bodies")
_responses: contextvars.ContextVar[list[HttpResponseBase]] = contextvars.ContextVar(
    "request_responses"
)
_tasks: contextvars.ContextVar[list[asyncio.Task[Any]]] = contextvars.ContextVar("request_tasks")
_thread: contextvars.ContextVar[ParkableThread] = contextvars.ContextVar("request_thread")


class StreamingASGIHandler(ASGIHandler):
    """Serves HTTP; holds neither connection nor thread for an open stream."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        thread = ParkableThread()
        _thread.set(thread)
        _tasks.set([])
        _responses.set([])
        _bodies.set([])
        try:
            async with ThreadSensitiveContext(executor=thread):
                await self._handle(scope, receive, send)
        finally:
            for body in _bodies.get():
                body.close()
            if not thread.parked:
                # Only what was cut short still holds a connection here.
                thread.submit(connections.close_all)
                thread.park()

    async def _handle(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve; where the server cancels us (daphne), end what Django would leave running or open.

        Django 5.2 and 6.0 die in `asyncio.wait` then, and their two tasks go on alone: one streams
        into the void, the other raises what nobody retrieves. Since 6.1 the response is made in
        the server's own task, and a task group ends the other; the response is still left open.
        """
        server_task = asyncio.current_task()
        try:
            await self.handle(scope, receive, send)
        except asyncio.CancelledError:
            alone = [task for task in _tasks.get() if task is not server_task]
            for task in alone:
                task.cancel()
            await asyncio.gather(*alone, return_exceptions=True)
            for response in _responses.get():
                if not response.closed:
                    await sync_to_async(response.close)()
            raise

    async def read_body(self, receive: Any) -> Any:
        """Read the body into a file, which Django leaves open where the server cancels us."""
        body = await super().read_body(receive)
        _bodies.get().append(body)
        return body

    async def listen_for_disconnect(self, receive: Any) -> None:
        """Wait until the client leaves."""
        _note_task()
        await super().listen_for_disconnect(receive)

    async def run_get_response(self, request: Any) -> HttpResponseBase:
        """Make the response."""
        _note_task()
        response = await super().run_get_response(request)
        _responses.get().append(response)
        if response.streaming and request.resolver_match is not None:
            request.resolver_match.tried = None  # 3 kB for as long as the stream is open
        return response

    async def send_response(self, response: HttpResponseBase, send: Any) -> None:
        """Send a response; before a stream, give back what the request holds."""
        if response.streaming:
            await sync_to_async(connections.close_all)()
            _thread.get().park()
        try:
            await super().send_response(response, _quiet(send))
        except RequestAborted:
            pass
        except asyncio.CancelledError:
            raise
        except Exception:  # Django would leave the response open, see (c)
            await self._close_stream(response)
            await sync_to_async(response.close)()
            raise
        finally:
            await self._close_stream(response)

    @classmethod
    def chunk_bytes(cls, data: Any) -> Any:
        """Leave a small chunk whole; Django's generator would cost as much as sending it."""
        if 0 < len(data) <= cls.chunk_size:
            return ((data, True),)
        return super().chunk_bytes(data)

    async def _close_stream(self, response: HttpResponseBase) -> None:
        """Close the stream in the task that iterated it.

        Django closes its wrapper only, and leaves the generator to the garbage collector (#37066).
        """
        iterator = getattr(response, "_iterator", None)
        if response.streaming and iterator is not None and hasattr(iterator, "aclose"):
            await iterator.aclose()


async def give_back() -> None:
    """Give the connections of the request that is served back to their pool.

    For where a request waits for work on other connections: as many requests as the pool has
    connections would let that work wait for them. The next query of the request takes one anew.
    """
    if _is_pooled():
        await sync_to_async(give_back_here)()


def _is_pooled() -> bool:
    thread = _thread.get(None)
    if thread is None or thread.parked:
        return False
    return any("pool" in connections.settings[alias].get("OPTIONS", {}) for alias in connections)


def give_back_here() -> None:
    """Do as `give_back`, in the thread of the request: at the end of what it does there."""
    if not _is_pooled():
        return
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()


def _note_task() -> None:
    task = asyncio.current_task()
    if task is not None:
        _tasks.get().append(task)


def _quiet(send: Any) -> Any:
    async def send_or_abort(message: Any) -> None:
        try:
            await send(message)
        except OSError as error:
            # uvicorn has raised ClientDisconnected here (0.28.0) and may again (#3085).
            raise RequestAborted from error

    return send_or_abort


def get_asgi_application() -> StreamingASGIHandler:
    """Set Django up and return the handler; the counterpart of Django's function of this name."""
    django.setup(set_prefix=False)
    return StreamingASGIHandler()
