"""Every kind of stream through real servers: what it holds is free when its client goes."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.client import Connection
from tests.integration.databases import SQLite
from tests.integration.servers import Server, eventually

HELD = ("generators", "files", "open", "slots", "pumps")
KINDS = ("events", "silent", "text", "lines", "table", "file")


@pytest.fixture(scope="module", params=["uvicorn", "daphne"])
def server(request: pytest.FixtureRequest, sqlite: SQLite) -> Iterator[Server]:
    application = "tests.integration.streaming_views:application"
    found = Server(kind=request.param, database=sqlite.new(), application=application)
    asyncio.run(found.start())
    yield found
    found.discard()


async def get(server: Server, path: str) -> Connection:
    connection = await Connection.open(server.port)
    connection.send("GET", path, {}, b"")
    await connection.read_head()
    return connection


async def held(server: Server) -> dict[str, Any]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /held HTTP/1.0\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    found: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return found


@pytest.mark.parametrize("leave", ["reset", "finish"])
async def test_nothing_is_held_of_a_client_that_left(server: Server, leave: str) -> None:
    mark = server.mark()
    for kind in KINDS:
        connection = await get(server, f"/{kind}")
        assert connection.status == 200, kind
        assert await connection.reader.read(100)
        there = await held(server)
        assert there["slots"] == 1 and sum(there["open"].values()) == 1, (kind, there)
        getattr(connection, leave)()

        async def is_free() -> bool:
            now = await held(server)
            return not any(
                now.get(name) for name in ("generators", "files", "open", "slots", "pumps")
            )

        await eventually(is_free, 20, f"{kind} is held after {leave}")
    assert server.errors(mark) == []


async def test_the_one_too_many_is_refused_and_let_in_when_another_left(server: Server) -> None:
    kept = [await get(server, "/events") for _ in range(3)]
    refused = await get(server, "/events")
    assert (refused.status, refused.headers["retry-after"]) == (503, "5")
    refused.reset()
    kept.pop().reset()

    async def is_let_in() -> bool:
        again = await get(server, "/events")
        kept.append(again)
        return again.status == 200

    await eventually(is_let_in, 10)
    for one in kept:
        one.reset()
