"""Chromium against real server processes; whatever a page complains about fails its test."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.browser.chromium import launched
from tests.browser.visitor import Visitor
from tests.integration.databases import SQLite
from tests.integration.servers import Server

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def sqlite() -> Iterator[SQLite]:
    path = Path(tempfile.mkdtemp(prefix="holdfast-browser-"))
    yield SQLite(path)
    shutil.rmtree(path, ignore_errors=True)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    async with launched() as browser:
        yield browser


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def lasting_server(sqlite: SQLite) -> AsyncIterator[Server]:
    server = Server(kind="uvicorn", database=sqlite.new())
    yield await server.start()
    server.discard()


@pytest_asyncio.fixture(loop_scope="session")
async def server(lasting_server: Server, request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    """The server that tests share; it stays up."""
    mark = lasting_server.mark()
    yield lasting_server
    request.node.add_report_section("teardown", "server", lasting_server.log(mark)[-4000:])


@pytest_asyncio.fixture(loop_scope="session")
async def own_server(sqlite: SQLite, request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    """A server with an empty database, which a test may end and start again."""
    server = Server(kind="uvicorn", database=sqlite.new())
    try:
        yield await server.start()
    finally:
        request.node.add_report_section("teardown", "server", server.log()[-4000:])
        server.discard()


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(chromium: Browser, server: Server) -> AsyncIterator[Visitor]:
    visitor = await Visitor.arrive(chromium, server)
    yield visitor
    await visitor.leave()
    assert visitor.complaints() == []


@pytest_asyncio.fixture(loop_scope="session")
async def castaway(chromium: Browser, own_server: Server) -> AsyncIterator[Visitor]:
    """A visitor of a server that the test may end."""
    visitor = await Visitor.arrive(chromium, own_server)
    visitor.may_fail_to_load = True
    yield visitor
    await visitor.leave()
    assert visitor.complaints() == []
