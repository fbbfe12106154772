"""Servers and databases for integration tests; everything is gone when the test is over."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.database import cluster_of
from tests.integration.databases import PostgreSQL, SQLite
from tests.integration.fleet import Servers

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    ours = [item for item in items if HERE in item.path.parents]
    for item in ours:
        item.add_marker(pytest.mark.integration)
    if config.getoption("--database") == "postgresql":
        indifferent = {item for item in ours if "databases" not in item.fixturenames}
        config.hook.pytest_deselected(items=list(indifferent))
        items[:] = [item for item in items if item not in indifferent]


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
def postgresql(databases_directory: Path, request: pytest.FixtureRequest) -> Iterator[PostgreSQL]:
    running = cluster_of(request.config)
    if running is not None:
        yield running
        return
    databases_directory.chmod(0o755)
    directory = databases_directory / "postgresql"
    directory.mkdir()
    cluster = PostgreSQL(directory)
    cluster.start()
    yield cluster
    cluster.stop()


@pytest.fixture(scope="session")
def databases(request: pytest.FixtureRequest) -> SQLite | PostgreSQL:
    """Makes databases of the kind that `--database` names."""
    chosen: SQLite | PostgreSQL = request.getfixturevalue(request.config.getoption("--database"))
    return chosen


@pytest.fixture
def database(databases: SQLite | PostgreSQL) -> str:
    """The URL of a fresh database."""
    return databases.new()


@pytest.fixture
async def servers(
    databases: SQLite | PostgreSQL, request: pytest.FixtureRequest
) -> AsyncIterator[Servers]:
    found = Servers(databases)
    try:
        yield found
    finally:
        for server in found.started:
            request.node.add_report_section(
                "teardown", f"log of {server.kind}", server.log()[-6000:]
            )
        await found.discard()
        await asyncio.sleep(0)  # lets transports close their sockets


@pytest.fixture(autouse=True)
def many_files() -> None:
    """A thousand clients need more descriptors than shells give."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 8192:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
