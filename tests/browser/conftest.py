"""Chromium against a real server process; whatever a page reports fails its test."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

from tests.browser.visitor import Visitor
from tests.integration.databases import SQLite
from tests.integration.fleet import Servers
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


@pytest.fixture
async def servers(sqlite: SQLite, request: pytest.FixtureRequest) -> AsyncIterator[Servers]:
    found = Servers(sqlite)
    try:
        yield found
    finally:
        for server in found.started:
            request.node.add_report_section("call", f"log of {server.kind}", server.log()[-4000:])
        await found.discard()


@pytest.fixture
async def server(servers: Servers) -> Server:
    return await servers.start("uvicorn")


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    assert program, "no Chromium here; scripts/debian-packages.sh installs it"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest.fixture
async def visitor(chromium: Browser, server: Server) -> AsyncIterator[Visitor]:
    visitor = await Visitor.arrive(chromium, server)
    yield visitor
    await visitor.leave()
    assert visitor.complaints() == []
