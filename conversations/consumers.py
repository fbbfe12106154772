"""The chat's WebSocket: the commands of the contract, with the same events as over HTTP."""

import asyncio
from typing import Any
from uuid import UUID

from django.conf import settings
from pydantic import ValidationError

from conversations import notices, replies, sync
from conversations.accounts import bearing, keys
from conversations.accounts.identity import user_of_session
from conversations.conversing import owns_reply, revision
from conversations.errors import invalid
from conversations.exceptions import ChatError, NotSignedIn, ScopeMissing, StorageUnavailable
from conversations.limits.addresses import address_of
from conversations.requests import Send
from streaming import facts, frames, threads
from streaming.consumers import RunConsumer
from streaming.frames import BadFrame
from streaming.handshake import cookies_of


class ChatConsumer(RunConsumer):
    """One person's socket: `/ws/chat/`."""

    _user_id: Any = None
    _holder: keys.Holder | None = None

    async def authenticate(self) -> bool:
        """Read the session or the key again: it may have ended, or the password changed."""
        user = await self._user()
        if user is None or (self._user_id is not None and user.pk != self._user_id):
            return False
        self._user_id = user.pk
        facts.note(user_id=user.pk)
        return True

    async def _user(self) -> Any:
        secret = key_of_scope(self.scope)
        if secret is None:
            return await threads.read(user_of_session, self._session_key())
        try:
            self._holder = await bearing.let_in(secret, None)
        except NotSignedIn:
            return None
        return self._holder.user

    def _may(self, scope: str) -> bool:
        return self._holder is None or self._holder.may(scope)

    def owner_key(self) -> str:
        """Name the person for the limit of connections."""
        return str(self._user_id)

    async def connect(self) -> None:
        """Join the person's group, then serve."""
        await super().connect()
        # Also with a key that may read nothing: its revocation comes this way.
        if self._user_id is not None and self.channel_layer is not None:
            await self.channel_layer.group_add(sync.group(self._user_id), self.channel_name)
            self.check_soon()  # what came before we joined, nobody told us
            if self._may(keys.READ):
                notices.watch().join(self.say)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a socket; however it ends, it leaves the group."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            notices.watch().leave(self.say)
            if self._user_id is not None and self.channel_layer is not None:
                await asyncio.shield(
                    self.channel_layer.group_discard(sync.group(self._user_id), self.channel_name)
                )

    async def sync_event(self, message: dict[str, Any]) -> None:
        """Pass on what changed elsewhere."""
        if self._may(keys.READ):
            self.say(message["event"])

    async def session_check(self, message: dict[str, Any]) -> None:
        """Look whether the session still holds: this person signed in or out somewhere."""
        self.check_soon()

    def _session_key(self) -> str | None:
        return cookies_of(self.scope).get(settings.SESSION_COOKIE_NAME)

    async def may_follow(self, run_id: UUID) -> bool:
        """Say whether the reply is this person's."""
        return self._may(keys.READ) and await threads.read(owns_reply, self._user_id, run_id)

    async def pong(self) -> dict[str, Any]:
        """Tell the person's revision."""
        return {"revision": await threads.read(revision, self._user_id)}

    async def command(self, message: dict[str, Any]) -> None:
        """Carry out `send` and `stop`."""
        ref = message.get("ref")
        try:
            if message["type"] in ("send", "stop") and not self._may(keys.CHAT):
                raise ScopeMissing(scope=keys.CHAT)
            match message["type"]:
                case "send":
                    await self._send(message)
                case "stop":
                    await self._stop(frames.decode_command(message))
                case _:
                    raise BadFrame("type: is not known", code="invalid_field")
        except ChatError as error:
            self.say({"type": "error", "ref": ref, **error.body()})
        except threads.AWAY:
            self.say({"type": "error", "ref": ref, **StorageUnavailable().body()})

    async def _send(self, message: dict[str, Any]) -> None:
        try:
            request = Send.model_validate(
                {name: value for name, value in message.items() if name not in ("type", "ref")}
            )
        except ValidationError as error:
            raise invalid(error.errors()) from None  # type: ignore[arg-type]
        begun = await replies.start(self._user_id, request, address=address_of(self.scope))
        self.say({"type": "accepted", "ref": message.get("ref"), "run_id": begun.run_id})
        await self.follow(begun.run_id, begun.after)

    async def _stop(self, command: frames.Command) -> None:
        assert isinstance(command, frames.Stop)
        await replies.stop(self._user_id, command.run_id)


def key_of_scope(scope: Any) -> str | None:
    """Return the API key that a handshake brings, right or wrong."""
    for name, value in scope["headers"]:
        if name == b"authorization":
            return keys.given(value.decode("latin1"))
    return None
