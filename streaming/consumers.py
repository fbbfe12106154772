"""A WebSocket that carries any number of runs: one sender task, one merged delta per turn.

Handlers of Channels are awaited one by one, so `receive` only queues: a disconnect never waits
behind a command. Text is never queued: each run's place is its subscription's cursor.
"""

import asyncio
import logging
import time
from collections import deque
from typing import Any
from uuid import UUID

from channels.consumer import get_handler_name
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import DatabaseError, InterfaceError
from django.utils.translation import get_language, gettext, override

from streaming import frames, metrics, threads, workers
from streaming.asgi import reactor
from streaming.conf import conf
from streaming.connections import NoRoom, Place
from streaming.cursor import BadCursor, Cursor
from streaming.detached import spawn
from streaming.events import Ended
from streaming.frames import BadFrame
from streaming.handshake import language_of
from streaming.subscription import NoSuchRun, Subscription, depart, subscribe

logger = logging.getLogger(__name__)

NOT_SIGNED_IN = 4401
IDLE = 4408
TOO_LARGE = 4413
TOO_MANY = 4429
RESTARTING = 1012
RESTARTING_DAPHNE = 4012

_SOON_SECONDS = 1.0
_RETRY_SECONDS = 5
_WAITING_COMMANDS = 100
_WAITING_MESSAGES = 200


class FollowsEnough(Exception):
    """A socket follows as many runs as it may; this one is not followed."""

    def __init__(self, run_id: UUID) -> None:
        super().__init__(str(run_id))
        self.run_id = run_id


class RunConsumer(AsyncWebsocketConsumer):
    """Base of a socket that follows runs. Subclasses say who may, and carry out commands."""

    frame_characters: int | None = None
    """Longest message of a client; None means `FRAME_CHARACTERS`."""
    most_followed = 200
    """Runs at a time: each holds its whole text, also for a client that reads nothing."""

    async def authenticate(self) -> bool:
        """Say whether the socket may live; asked at the start and every `CONNECTION_SECONDS`."""
        raise NotImplementedError

    def owner_key(self) -> str:
        """Say whose connection it is, once `authenticate` has said yes; empty where nobody's."""
        return ""

    async def may_follow(self, run_id: UUID) -> bool:
        """Say whether this person may read a run."""
        raise NotImplementedError

    async def command(self, message: dict[str, Any]) -> None:
        """Carry out a command; what goes wrong is said with `say_error`."""
        raise NotImplementedError

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a socket; whatever ends it, its subscriptions and tasks end with it."""
        self._language = language_of(scope)
        self._subscriptions: dict[UUID, Subscription] = {}
        self._outbox: deque[str] = deque()
        self._commands: asyncio.Queue[dict[str, Any]] = asyncio.Queue(_WAITING_COMMANDS)
        self._news = asyncio.Event()
        self._sent = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._heard_at = time.monotonic()
        self._check_at = float("inf")
        self._turn = 0
        self._over = False
        self._place: Place | None = None
        worker = workers.current()
        worker.sockets.add(self._news.set)
        try:
            await super().__call__(scope, receive, send)
        finally:
            worker.sockets.discard(self._news.set)
            # A handler that raised, or daphne's cancellation, never reaches `disconnect`.
            for task in self._tasks:
                task.cancel()
            for subscription in self._subscriptions.values():
                subscription.close()
            if self._place is not None:
                self._place.leave()

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Call the handler, without Channels' hop into the process-wide thread for each message.

        Handlers here touch the database in threads of their own only (channels#2132).
        """
        handler = getattr(self, get_handler_name(message), None)
        if handler is None:
            raise ValueError(f"No handler for {message['type']}")
        await handler(message)

    async def connect(self) -> None:
        """Accept whoever may; tell the others why by a close code."""
        await self.accept()
        refusal = await self._refusal()
        if refusal is not None:
            await self.close(refusal)
            return
        try:
            self._place = workers.current().connections.take(self.owner_key())
        except NoRoom as error:
            await self.close(TOO_MANY, error.limit)
            return
        self._tasks = [
            spawn(self._run_commands(), name="socket commands"),
            spawn(self._send_until_over(), name="socket sender"),
        ]

    async def _refusal(self) -> int | None:
        """Return the close code for somebody who may not stay, or whom nobody can ask about."""
        try:
            return None if await self.authenticate() else NOT_SIGNED_IN
        except (DatabaseError, InterfaceError) as error:
            logger.warning("A socket waits for storage: %s", type(error).__name__)
            return restarting()

    async def close(self, code: int | None = None, reason: str | None = None) -> None:
        """Close; where the client has just left, nobody needs to be told."""
        try:
            await super().close(code, reason)
        except (OSError, RuntimeError) as error:
            if not _says_gone(error):
                raise

    async def disconnect(self, code: int) -> None:
        """Leave every run; each departure is recorded by a held task, behind a shield."""
        for task in self._tasks:
            task.cancel()
        left = list(self._subscriptions.values())
        self._subscriptions.clear()
        await asyncio.gather(*(depart(subscription) for subscription in left))

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Queue what the client says."""
        self._heard_at = time.monotonic()
        most = conf().frame_characters if self.frame_characters is None else self.frame_characters
        if most and len(text_data or bytes_data or "") > most:
            metrics.limits_hit.labels("frame_characters").inc()
            await self.close(TOO_LARGE)
            return
        try:
            if text_data is None:
                raise BadFrame("Send text, not bytes.")
            message = frames.decode_object(text_data)
        except BadFrame as error:
            with override(self._language):
                self._say_bad_frame(None, error)
            return
        if not self._over:
            await self._commands.put(message)

    def say(self, message: dict[str, Any]) -> None:
        """Put a message before the text of runs."""
        self._outbox.append(frames.encode(message))
        self._news.set()

    def say_error(
        self, ref: Any, code: str, message: str, *, retryable: bool = False, **extra: Any
    ) -> None:
        """Tell the client what was wrong; the socket stays."""
        error = {"code": code, "message": message, "retryable": retryable, **extra}
        self.say({"type": "error", "ref": ref, "error": error})

    def _say_bad_frame(self, ref: Any, error: BadFrame) -> None:
        """Say what does not fit: in our words, but for those who read the decoder's."""
        texts = {
            "bad_json": gettext("The message is not JSON."),
            "invalid_field": gettext("A field does not fit."),
        }
        english = (get_language() or "en").startswith("en")
        self.say_error(ref, error.code, str(error) if english else texts[error.code])

    def check_soon(self) -> None:
        """Ask again whether the socket may live, once what is happening now is done."""
        self._check_at = min(self._check_at, time.monotonic() + _SOON_SECONDS)
        self._news.set()

    async def follow(self, run_id: UUID, after: Cursor) -> None:
        """Follow a run from a cursor; a followed one starts again there.

        Raises:
            NoSuchRun, BadCursor, FollowsEnough
        """
        if run_id not in self._subscriptions and len(self._subscriptions) >= self.most_followed:
            raise FollowsEnough(run_id)
        subscription = await subscribe(workers.current(), run_id, after, notify=self._news.set)
        subscription.carried_by("socket")
        await self.unfollow(run_id)
        self._subscriptions[run_id] = subscription
        self._news.set()

    async def unfollow(self, run_id: UUID) -> None:
        """Leave a run."""
        left = self._subscriptions.pop(run_id, None)
        if left is not None:
            left.finished = True
            await depart(left)

    async def _run_commands(self) -> None:
        while True:
            message = await self._commands.get()
            while len(self._outbox) > _WAITING_MESSAGES:
                self._sent.clear()
                await self._sent.wait()
            with override(self._language):
                try:
                    await self._run_command(message)
                except Exception:  # one command must not end the socket
                    logger.exception("A command failed: %s", str(message.get("type"))[:40])
                    text = gettext("Something went wrong here.")
                    self.say_error(message.get("ref"), "internal", text)

    async def _run_command(self, message: dict[str, Any]) -> None:
        ref = message.get("ref")
        if isinstance(ref, bool) or not isinstance(ref, frames.Ref):
            text = gettext("ref: is neither text nor a number")
            self.say_error(None, "invalid_field", text, field="ref")
            return
        try:
            match message["type"]:
                case "ping" | "follow" | "unfollow":
                    await self._run_own(frames.decode_command(message))
                case _:
                    await self.command(message)
        except BadFrame as error:
            self._say_bad_frame(ref, error)
        except FollowsEnough as error:
            self._say_enough(ref, error.run_id)
        except threads.AWAY as error:
            logger.warning("A command waits for storage: %s", type(error).__name__)
            text = gettext("Storage is not available right now; try again.")
            self.say_error(ref, "storage_unavailable", text, retryable=True)

    def _say_enough(self, ref: Any, run_id: UUID) -> None:
        metrics.limits_hit.labels("followed_per_socket").inc()
        text = gettext("Too many replies are followed here; wait for one to end.")
        extra = {"run_id": run_id, "retry_after_seconds": _RETRY_SECONDS}
        self.say_error(ref, "too_many_connections", text, retryable=True, **extra)

    async def _run_own(self, command: frames.Command) -> None:
        match command:
            case frames.Hello():
                self.say({"type": "pong", "ref": command.ref, **await self.pong()})
            case frames.Follow():
                await self._follow(command)
            case frames.Unfollow():
                await self.unfollow(command.run_id)
            case _:
                raise BadFrame("Unknown type.", code="invalid_field")

    async def pong(self) -> dict[str, Any]:
        """Return what a `pong` tells beside itself."""
        return {}

    async def _follow(self, command: frames.Follow) -> None:
        try:
            after = Cursor.parse(command.after.removesuffix(".end"))
            if not await self.may_follow(command.run_id):
                raise NoSuchRun
            await self.follow(command.run_id, after)
        except NoSuchRun:
            text = gettext("There is nothing here.")
            self.say_error(command.ref, "not_found", text, run_id=str(command.run_id))
        except BadCursor:
            message = gettext("The cursor is malformed or lies beyond the end.")
            end = await self._end(command.run_id)
            self.say_error(
                command.ref, "bad_cursor", message, run_id=str(command.run_id), cursor=end
            )

    async def _end(self, run_id: UUID) -> str | None:
        """Name the real end, to someone who may know it."""
        feed = await workers.current().feed(run_id) if await self.may_follow(run_id) else None
        return None if feed is None else str(feed.transcript.end)

    async def _send_until_over(self) -> None:
        """Send; once that is over, let nothing wait for it: a disconnect must get its turn."""
        try:
            await self._send_forever()
        except Exception:  # a socket that says nothing more must not stay open
            logger.exception("A socket's sender failed")
            await self.close(restarting())
        finally:
            self._over = True
            for task in self._tasks:
                task.cancel()
            while not self._commands.empty():
                self._commands.get_nowait()

    async def _send_forever(self) -> None:
        life = conf().connection_seconds or float("inf")
        self._check_at = min(self._check_at, time.monotonic() + life)
        while True:
            self._news.clear()
            if await self._send_next():
                continue
            now = time.monotonic()
            # Without subscriptions, too: uvicorn closes the sockets that it knows at SIGTERM, and
            # would wait in vain for one that opened a moment later.
            if workers.current().closing or any(s.closing for s in self._subscriptions.values()):
                await self.close(restarting())
                return
            if self._is_idle(now):
                await self.close(IDLE)
                return
            if now >= self._check_at:
                self._check_at = now + life
                refusal = await self._refusal()
                if refusal is not None:
                    await self.close(refusal)
                    return
            await self._wait(now)

    async def _send_next(self) -> bool:
        """Send one message: what was said first, then one event of the next run in turn."""
        if self._outbox:
            await self._give(self._outbox.popleft())
            self._sent.set()
            return True
        waiting = list(self._subscriptions.values())
        for step in range(len(waiting)):
            subscription = waiting[(self._turn + step) % len(waiting)]
            if subscription.lost:
                await subscription.reopen()
            event = subscription.take()
            if event is not None:
                self._turn += step + 1
                if isinstance(event, Ended):
                    self._subscriptions.pop(subscription.run_id, None)
                    subscription.close()
                await self._give(
                    frames.encode_event(subscription.run_id, event, subscription.cursor)
                )
                return True
        return False

    async def _give(self, text: str) -> None:
        try:
            await self.send(text_data=text)
        except (OSError, RuntimeError) as error:
            if not _says_gone(error):
                raise
            raise asyncio.CancelledError from None  # `disconnect` is on its way
        await asyncio.sleep(0)

    def _is_idle(self, now: float) -> bool:
        limit = conf().idle_seconds
        return bool(limit) and not self._subscriptions and now - self._heard_at > limit

    async def _wait(self, now: float) -> None:
        moments = [s.next_ping for s in self._subscriptions.values()]
        limits = [limit for limit in (conf().idle_seconds, conf().connection_seconds) if limit]
        moments += [now + min([*limits, 30.0]), self._check_at]
        try:
            async with asyncio.timeout(max(min(moments) - now, 0.001)):
                await self._news.wait()
        except TimeoutError:
            pass


def restarting() -> int:
    """Return the close code that sends a client away to come again.

    autobahn, under daphne, lets an application say no code below 3000.
    """
    return RESTARTING if reactor() is None else RESTARTING_DAPHNE


def _says_gone(error: Exception) -> bool:
    """Whether a send failed only because the client has left.

    uvicorn raises ClientDisconnected, an OSError; under daphne it is a RuntimeError of autobahn,
    which need not be installed.
    """
    return isinstance(error, OSError) or type(error).__module__ == "autobahn.exception"
