"""The same scripts against the way of the guides, and against ours: lost there, kept here."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.client import Client, new_id
from tests.integration.databases import SQLite
from tests.integration.fleet import Servers
from tests.integration.scripts import script
from tests.integration.servers import Server, eventually
from tests.integration.socket_client import Socket

STEPS = [{"repeat": 100, "text": "word ", "pause_ms": 1}, {"stall": True}]
SEEN = 500
NAIVE = "tests.integration.naive:application"


@dataclass(frozen=True)
class Case:
    """A server kind, a transport, and what befalls it in mid-reply."""

    kind: str
    transport: str
    act: str

    def __str__(self) -> str:
        return f"{self.kind}-{self.transport}-{self.act}"


LOST = [
    Case("uvicorn", "sse", "kill"),
    Case("uvicorn", "sse", "term"),
    Case("uvicorn", "sse", "reload"),
    Case("daphne", "sse", "kill"),
    Case("daphne", "sse", "term"),
    Case("uvicorn", "websocket", "kill"),
    Case("daphne", "websocket", "term"),
    Case("daphne", "websocket", "second tab"),
]
"""Where the naive server loses text that a reader has seen; ours must keep it."""

KEPT_BY_BOTH = [Case("uvicorn", "sse", "FIN"), Case("daphne", "sse", "RST")]
"""Where the naive server stores what was seen, too: the comparison is fair."""


@pytest.mark.parametrize("case", LOST, ids=str)
async def test_the_way_of_the_guides_loses_what_a_reader_saw(
    servers: Servers, case: Case, tmp_path: Path
) -> None:
    server = await servers.start(
        case.kind, f"sqlite:///{tmp_path}/naive.sqlite3", application=NAIVE
    )
    stored = await play(servers, server, case)
    assert len(stored) < SEEN, f"{case}: the naive server kept it, the comparison says nothing"


@pytest.mark.parametrize("case", LOST + KEPT_BY_BOTH, ids=str)
async def test_ours_keeps_what_a_reader_saw(servers: Servers, case: Case, sqlite: SQLite) -> None:
    server = await servers.start(case.kind, sqlite.new())
    stored = await play(servers, server, case)
    assert stored == "word " * 100, f"{case}: {len(stored)} of {SEEN} code points are stored"


@pytest.mark.parametrize("case", KEPT_BY_BOTH, ids=str)
async def test_the_way_of_the_guides_keeps_text_when_only_the_reader_leaves(
    servers: Servers, case: Case, tmp_path: Path
) -> None:
    server = await servers.start(
        case.kind, f"sqlite:///{tmp_path}/naive.sqlite3", application=NAIVE
    )
    stored = await play(servers, server, case)
    assert stored == "word " * 100


async def play(servers: Servers, server: Server, case: Case) -> str:
    """Read 500 code points, let it happen, and give what the API returns afterwards."""
    client = await servers.client(server)
    conversation = await client.new_conversation()
    run_id = new_id()
    leave = await TRANSPORTS[case.transport](client, conversation, run_id)
    match case.act:
        case "kill":
            server.kill()
            await server.restart()
        case "term":
            await server.terminate()
            await server.restart()
        case "reload" | "second tab":
            return await _stored(client, conversation, run_id)
        case _:
            leave(case.act)
            await eventually(lambda: _stored(client, conversation, run_id), 20, "nothing is stored")
            return await _stored(client, conversation, run_id)
    await asyncio.sleep(0.5)  # time for a save that must not come
    return await _stored(client, conversation, run_id)


async def _over_sse(client: Client, conversation: str, run_id: str) -> Callable[[str], None]:
    reader = await client.send(conversation, script(*STEPS), reply_id=run_id)
    await reader.until_received(SEEN)
    return lambda how: reader.rst() if how == "RST" else reader.fin()


async def _over_websocket(client: Client, conversation: str, run_id: str) -> Callable[[str], None]:
    ws = await Socket.open(client)
    await ws.say(
        type="send",
        ref="r",
        conversation_id=conversation,
        reply_id=run_id,
        id=new_id(),
        content=script(*STEPS),
    )
    await eventually(lambda: ws.received(run_id) >= SEEN, 20, "the socket got too little")
    return lambda how: ws.connection.transport.abort()


TRANSPORTS: dict[str, Callable[[Client, str, str], Awaitable[Callable[[str], None]]]] = {
    "sse": _over_sse,
    "websocket": _over_websocket,
}


async def _stored(client: Client, conversation: str, run_id: str) -> str:
    found = [m for m in await client.messages(conversation) if m["id"] == run_id]
    assert len(found) <= 1, "two rows of one reply"
    return str(found[0]["content"]) if found else ""
