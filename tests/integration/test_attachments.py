"""Files through real servers: their sizes, what is held of them, and readers who leave."""

import asyncio
import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.client import Client, Connection, Response
from tests.integration.databases import SQLite
from tests.integration.servers import Server, eventually

MEGABYTE = 2**20
LINE = b"Nothing of this file is ever in memory at once.\n"


@pytest.fixture(scope="module", params=["uvicorn", "daphne"])
def server(request: pytest.FixtureRequest, sqlite: SQLite) -> Iterator[Server]:
    found = Server(kind=request.param, database=sqlite.new())
    asyncio.run(found.start())
    yield found
    found.discard()


def form(content: bytes, name: str = "a.txt") -> tuple[dict[str, str], bytes]:
    """Write a form with one file."""
    head = f'--x\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    return {"Content-Type": "multipart/form-data; boundary=x"}, (
        head.encode() + content + b"\r\n--x--\r\n"
    )


def memory_of(server: Server) -> int:
    """Bytes that the process holds at the moment."""
    status = Path(f"/proc/{server.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found
    return int(found[1]) * 1024


def open_files(server: Server) -> list[str]:
    found = []
    for link in Path(f"/proc/{server.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found.append(str(link.readlink()))
    return found


async def upload(client: Client, content: bytes, path: str = "/api/attachments") -> Response:
    headers, body = form(content)
    return await client.post(path, body, headers=headers)


async def test_a_large_file_comes_and_goes_and_is_never_in_memory(server: Server) -> None:
    client = await Client.sign_in(server)
    content = LINE * (18 * MEGABYTE // len(LINE))
    assert (await upload(client, LINE)).status == 201
    before = memory_of(server)
    answer = await upload(client, content)
    assert answer.status == 201, answer.body[:300]
    url = answer.json()["url"]
    assert (await client.get(url)).body == content
    part = await client.request("GET", url, headers={"Range": f"bytes={9 * MEGABYTE}-"})
    assert (part.status, part.body) == (206, content[9 * MEGABYTE :])
    if server.kind == "uvicorn":  # daphne takes what we say as fast as we say it
        assert memory_of(server) - before < 10 * MEGABYTE
    assert server.errors() == []


async def test_a_file_is_closed_when_its_reader_leaves_in_the_middle(server: Server) -> None:
    client = await Client.sign_in(server)
    url = (await upload(client, LINE * (18 * MEGABYTE // len(LINE)))).json()["url"]
    for leave in (Connection.finish, Connection.reset):
        connection = await client._ask("GET", url, None, {}, small_buffer=True)
        await connection.reader.readexactly(1000)
        leave(connection)

    def is_closed() -> bool:
        return not any("/media/" in path for path in open_files(server))

    await eventually(is_closed, 10, lambda: f"open: {open_files(server)}")
    assert server.errors() == []


async def test_what_is_over_the_limit_is_refused_and_nothing_of_it_stays(server: Server) -> None:
    client = await Client.sign_in(server)
    answer = await upload(client, b"x" * (20 * MEGABYTE + 1))
    assert (answer.status, answer.code) == (413, "too_large")
    answer = await upload(client, b"x" * (24 * MEGABYTE))
    assert (answer.status, answer.code) == (413, "too_large")
    media = Path(server.environment()["MEDIA_ROOT"])
    assert not [path for path in media.rglob("*") if path.stat().st_size > 19 * MEGABYTE]
    for path in ("/api/conversations", "/api/attachments/", "/nowhere"):
        answer = await upload(client, b"x" * (2 * MEGABYTE), path)
        assert (answer.status, answer.code) == (413, "too_large")
    assert server.errors() == []
