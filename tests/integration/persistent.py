"""A reader that comes back as the page does: with the same ids, then from its cursor."""

import asyncio
from dataclasses import dataclass
from typing import Any

from tests.integration.client import Client, Reader, Refused, new_id
from tests.integration.law import breaches_of_reading
from tests.integration.ledger import Breach
from tests.integration.scripts import said_by, script

_PAUSE_SECONDS = 0.1
_NOT_NOW = (404, 429, 502, 503)
_TALK = [{"repeat": 60, "text": "hold fast ", "pause_ms": 30}, {"finish": "stop"}]


@dataclass(frozen=True)
class Told:
    """One reply, and how often its reader had to come back for it."""

    readers: list[Reader]
    refusals: list[str]
    breaches: list[Breach]
    status: str
    content: str
    said: str
    """What the model said."""

    @property
    def whole(self) -> bool:
        """Whether it was completed, and all of it was read and kept."""
        return self.status == "completed" and self.content == self.said and not self.breaches


async def ask(client: Client, *steps: dict[str, Any], seconds: float = 60.0) -> Told:
    """Ask in a conversation of its own; read the reply to its end, over any number of streams."""
    refusals: list[str] = []
    async with asyncio.timeout(seconds):
        conversation = await _new_conversation(client, refusals)
        readers = await _read(client, conversation, script(*steps), refusals)
        while True:
            try:
                message = await client.message(conversation, readers[0].ledger.run_id)
                break
            except (Refused, AssertionError) as error:
                await _refused(error, refusals)
    return Told(
        readers=readers,
        refusals=refusals,
        breaches=breaches_of_reading(message, readers),
        status=message["status"],
        content=message["content"],
        said=said_by(list(steps)),
    )


async def talk(client: Client, over: asyncio.Event) -> list[Told]:
    """Ask for one reply after another, of two seconds each, until it is over."""
    told = []
    while not over.is_set():
        told.append(await ask(client, *_TALK))
    return told


async def _new_conversation(client: Client, refusals: list[str]) -> str:
    name = new_id()
    while True:
        try:
            return await client.new_conversation(id=name)
        except (Refused, AssertionError) as error:
            await _refused(error, refusals)


async def _read(
    client: Client, conversation: str, content: str, refusals: list[str]
) -> list[Reader]:
    ids = {"id": new_id(), "reply_id": new_id()}
    readers: list[Reader] = []
    while True:
        started = [reader for reader in readers if reader.ledger.events]
        try:
            if started:
                cursor = started[-1].ledger.cursor
                reader = await client.follow(ids["reply_id"], cursor)
            else:
                reader = await client.send(conversation, content, **ids)
        except Refused as error:
            await _refused(error, refusals)
            continue
        readers.append(reader)
        await reader.closed.wait()
        if reader.ended:
            return readers


async def _refused(error: Exception, refusals: list[str]) -> None:
    status = error.args[0]
    if isinstance(error, Refused) and isinstance(status, int) and status not in _NOT_NOW:
        raise error
    refusals.append(str(error)[:200])
    await asyncio.sleep(_PAUSE_SECONDS)
