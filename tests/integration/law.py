"""The law: what a reader received is a prefix of what the API returns, and each reply ends once."""

from asyncio import Event
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from tests.integration.client import Client
from tests.integration.databases import FRAGMENTS, RUNS, count
from tests.integration.ledger import Breach, Json, Kind, Ledger

_TELLING_CHARACTERS = 12


class Reading(Protocol):
    """One reader of one run, over either transport."""

    ledger: Ledger

    @property
    def left(self) -> str:
        """How it left; empty while it has not."""

    @property
    def closed(self) -> Event:
        """Set when nothing more will come."""

    @property
    def ended(self) -> Json | None:
        """The `ended` that it was told."""

    def fin(self) -> None: ...

    def rst(self) -> None: ...

    def half_close(self) -> None: ...

    def stop_reading(self) -> None: ...

    async def goodbye(self) -> None: ...


def breaches_of_reading(message: Json, readers: Sequence[Reading]) -> list[Breach]:
    """Compare what readers of one reply received with the stored reply."""
    found = []
    for number, reader in enumerate(readers, 1):
        who = f"reader {number} of {message['id']} from {reader.ledger.start} ({reader.left}): "
        found += [replace(b, text=who + b.text) for b in reader.ledger.breaches(message)]
    endings = {(r.ended["status"], r.ended["reason"]) for r in readers if r.ended}
    if len(endings) > 1:
        found.append(Breach("wire", f"readers were told of different ends: {endings}"))
    if message["status"] == "running":
        found.append(Breach("endless", f"reply {message['id']} has no outcome"))
    return found


def breaches_of_text(message: Json, whole: str) -> list[Breach]:
    """Compare the stored text with what the source said, or would have said."""
    stored = message["content"]
    if whole.startswith(stored):
        if message["status"] == "completed" and stored != whole:
            told = f"{message['id']}: completed with {len(stored)} of {len(whole)} code points"
            return [Breach("lost", told)]
        return []
    pairs = enumerate(zip(stored, whole, strict=False))
    at = next((n for n, (ours, said) in pairs if ours != said), len(whole))
    said_at = whole.find(stored[at : at + _TELLING_CHARACTERS])
    told = f"{message['id']}: at {at} stored is {stored[at:][:40]!r}, said was {whole[at:][:40]!r}"
    return [Breach("doubled" if 0 <= said_at < at else "lost", told)]


async def breaches_of_rows(client: Client, conversation: str, replies: set[str]) -> list[Breach]:
    """Check that a conversation holds exactly one question and one row per reply."""
    messages = await client.messages(conversation)
    found = []
    stored = sorted(m["id"] for m in messages if m["role"] == "assistant")
    if stored != sorted(replies):
        kind: Kind = "lost" if replies - set(stored) else "doubled"
        found.append(Breach(kind, f"replies stored {stored}, started {sorted(replies)}"))
    questions = [m for m in messages if m["role"] == "user"]
    if len(questions) != len(replies):
        kind = "lost" if len(questions) < len(replies) else "doubled"
        found.append(Breach(kind, f"{len(questions)} questions for {len(replies)} replies"))
    return found


def breaches_of_rest(database: str) -> list[Breach]:
    """Check that nothing in flight is left when all replies are settled."""
    left = {table: count(database, table) for table in (RUNS, FRAGMENTS)}
    return [Breach("endless", f"{n} rows left in {table}") for table, n in left.items() if n]
