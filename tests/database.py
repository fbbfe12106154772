"""A pytest plugin: the one database of a test process, a file of SQLite or a private PostgreSQL.

pytest-django has one `default` database per process, so what must hold on both is run twice, with
`--database=sqlite`, the default, and with `--database=postgresql`.
"""

import argparse
import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.integration.databases import PostgreSQL

_directory = pytest.StashKey[Path]()
_cluster = pytest.StashKey[PostgreSQL]()

_POOL = "12"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--database",
        choices=["sqlite", "postgresql"],
        default="sqlite",
        help="where Django's test database lives: a file, or a private cluster",
    )


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Generator[None]:
    """Choose the database before pytest-django reads the settings."""
    options: argparse.Namespace = parser.parse_known_args(args)
    if options.help or options.version or options.collectonly:
        return (yield)
    directory = Path(tempfile.mkdtemp(prefix="holdfast-tests-"))
    early_config.stash[_directory] = directory
    before = dict(os.environ)
    os.environ["SQLITE_SYNCHRONOUS"] = "OFF"  # nothing here survives power loss
    os.environ["DATABASE_URL"] = f"sqlite:///{directory / 'db.sqlite3'}"
    if options.database == "postgresql":
        directory.chmod(0o755)
        home = directory / "postgresql"
        home.mkdir()
        cluster = PostgreSQL(home)
        cluster.start()
        early_config.stash[_cluster] = cluster
        os.environ["DATABASE_URL"] = f"postgres://postgres@127.0.0.1:{cluster.port}/postgres"
        os.environ["DATABASE_POOL_SIZE"] = _POOL
    try:
        result = yield
        _put_sqlite_into(directory)
        return result
    finally:
        os.environ.clear()
        os.environ.update(before)


def pytest_unconfigure(config: pytest.Config) -> None:
    cluster = config.stash.get(_cluster, None)
    if cluster is not None:
        cluster.stop()
    directory = config.stash.get(_directory, None)
    if directory is not None:
        shutil.rmtree(directory, ignore_errors=True)


def cluster_of(config: pytest.Config) -> PostgreSQL | None:
    """Give the cluster that this run started, if it runs on PostgreSQL."""
    return config.stash.get(_cluster, None)


def empty_tables() -> None:
    """Delete all rows, but for those that migrating makes."""
    from django.db import connection, transaction

    kept = {"django_migrations", "django_content_type", "auth_permission"}
    tables = sorted(set(connection.introspection.django_table_names(only_existing=True)) - kept)
    filled = " UNION ALL ".join(
        f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {table})" for table in tables
    )
    # One transaction: foreign keys are checked at its end, so that the order is free.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(filled)
        for (table,) in cursor.fetchall():
            cursor.execute(f"DELETE FROM {table}")


def _put_sqlite_into(directory: Path) -> None:
    """Django's default for SQLite, shared memory, has other locks than a file."""
    from django.db import connections

    default = connections.settings["default"]
    if default["ENGINE"].endswith("sqlite3"):
        default["TEST"]["NAME"] = str(directory / "test.sqlite3")
