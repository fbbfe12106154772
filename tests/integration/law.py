"""The law: what a reader received is a prefix of what the API returns, and each reply ends once."""

from collections.abc import Sequence

from tests.integration.client import Client, Reader
from tests.integration.databases import FRAGMENTS, RUNS, count
from tests.integration.ledger import Json


def breaches_of_reading(message: Json, readers: Sequence[Reader]) -> list[str]:
    """Compare what readers of one reply received with the stored reply."""
    found = []
    for number, reader in enumerate(readers, 1):
        who = f"reader {number} of {message['id']} from {reader.ledger.start} ({reader.left}): "
        found += [who + breach for breach in reader.ledger.breaches(message)]
    endings = {(r.ended["status"], r.ended["reason"]) for r in readers if r.ended}
    if len(endings) > 1:
        found.append(f"readers were told of different ends: {endings}")
    if message["status"] == "running":
        found.append(f"reply {message['id']} has no outcome")
    return found


async def breaches_of_rows(client: Client, conversation: str, replies: set[str]) -> list[str]:
    """Check that a conversation holds exactly one question and one row per reply."""
    messages = await client.messages(conversation)
    found = []
    stored = sorted(m["id"] for m in messages if m["role"] == "assistant")
    if stored != sorted(replies):
        found.append(f"replies stored {stored}, started {sorted(replies)}")
    questions = [m for m in messages if m["role"] == "user"]
    if len(questions) != len(replies):
        found.append(f"{len(questions)} questions for {len(replies)} replies")
    return found


def breaches_of_rest(database: str) -> list[str]:
    """Check that nothing in flight is left when all replies are settled."""
    left = {table: count(database, table) for table in (RUNS, FRAGMENTS)}
    return [f"{number} rows left in {table}" for table, number in left.items() if number]
