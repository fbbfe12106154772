"""Servers and databases for integration tests; everything is gone when the test is over."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.databases import PostgreSQL, SQLite
from tests.integration.fleet import Servers

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="session")
def databases_directory() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="holdfast-databases-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def sqlite(databases_directory: Path) -> SQLite:
    directory = databases_directory / "sqlite"
    directory.mkdir()
    return SQLite(directory)


@pytest.fixture(scope="session")
def postgresql(databases_directory: Path) -> Iterator[PostgreSQL]:
    databases_directory.chmod(0o755)
    directory = databases_directory / "postgresql"
    directory.mkdir()
    cluster = PostgreSQL(directory)
    cluster.start()
    yield cluster
    cluster.stop()


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)],
)
def database(request: pytest.FixtureRequest) -> str:
    """The URL of a fresh database, once of each kind."""
    new: Callable[[], str] = request.getfixturevalue(request.param).new
    return new()


@pytest.fixture
async def servers(sqlite: SQLite, request: pytest.FixtureRequest) -> AsyncIterator[Servers]:
    found = Servers(sqlite)
    try:
        yield found
    finally:
        for server in found.started:
            request.node.add_report_section("call", f"log of {server.kind}", server.log()[-6000:])
        await found.discard()
        await asyncio.sleep(0)  # lets transports close their sockets


@pytest.fixture(autouse=True)
def many_files() -> None:
    """A thousand clients need more descriptors than shells give."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 8192:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
