"""Databases for server processes: copies of one migrated template, SQLite or private PostgreSQL."""

import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg

from tests.integration.servers import Server, eventually, free_port, migrate

CONVERSATIONS = "holdfast_conversations_conversation"
MESSAGES = "holdfast_conversations_message"
RUNS = "holdfast_streaming_run"
FRAGMENTS = "holdfast_streaming_fragment"
WORKERS = "holdfast_streaming_worker"


class SQLite:
    """Migrates one file, then copies it for every database asked for."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._template: Path | None = None

    def new(self) -> str:
        """Make a migrated database and give its URL."""
        if self._template is None:
            template = self.directory / "template.sqlite3"
            migrate(_sqlite_url(template))
            self._template = template
        home = Path(tempfile.mkdtemp(prefix="database-", dir=self.directory))
        for path in self.directory.glob("template.sqlite3*"):
            shutil.copy(path, home / path.name.replace("template", "db"))
        return _sqlite_url(home / "db.sqlite3")


class PostgreSQL:
    """A private cluster on a free loopback port.

    Args:
        durable: whether it survives a loss of power; tests need not.
        addresses: where it listens; beyond loopback, `pg_hba.conf` must let clients in.
    """

    def __init__(
        self, directory: Path, *, durable: bool = False, addresses: str = "127.0.0.1"
    ) -> None:
        self.durable = durable
        self.addresses = addresses
        self.port = free_port()
        self.directory = directory
        self._migrated = False
        self._bin = _postgresql_bin()

    def start(self) -> None:
        data = self.directory / "data"
        self.directory.chmod(0o755)
        if os.geteuid() == 0:
            shutil.chown(self.directory, "postgres", "postgres")
        self._run("initdb", "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "-N")
        self.run()

    def run(self) -> None:
        """Start the server of a cluster that is there already."""
        options = (
            f"-c port={self.port} -c listen_addresses={self.addresses} -c max_connections=200"
            f" -c fsync={'on' if self.durable else 'off'}"
            f" -c unix_socket_directories={self.directory} -c shared_buffers=64MB"
        )
        log = str(self.directory / "log")
        data = str(self.directory / "data")
        self._run("pg_ctl", "-s", "-D", data, "-w", "-l", log, "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        self._run("pg_ctl", "-s", "-D", str(self.directory / "data"), "-m", mode, "stop")

    def new(self) -> str:
        """Make a migrated database and give its URL."""
        if not self._migrated:
            self._create("DROP DATABASE IF EXISTS template_migrated")
            self._create("CREATE DATABASE template_migrated")
            migrate(self._url("template_migrated"))
            self._migrated = True
        return self.empty("TEMPLATE template_migrated")

    def empty(self, how: str = "") -> str:
        """Make a database without tables and give its URL."""
        name = f"d{uuid4().hex}"
        self._create(f"CREATE DATABASE {name} {how}")
        return self._url(name)

    def _create(self, statement: str) -> None:
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    def _url(self, name: str) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/{name}"

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._bin / program), *arguments]
        if os.geteuid() == 0:
            as_postgres = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
            command = as_postgres + command
        done = subprocess.run(
            command,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=program != "pg_ctl",
            timeout=60,
        )
        assert done.returncode == 0, f"{program}: {done.stderr!r}"


def rows(database: str, statement: str) -> list[tuple[Any, ...]]:
    """Read from a database behind the server's back."""
    with _connected(database) as connection:
        return [tuple(row) for row in connection.execute(statement).fetchall()]


def insert(database: str, table: str, **values: Any) -> None:
    """Write a row behind the server's back."""
    mark = "?" if database.startswith("sqlite:") else "%s"
    columns, marks = ", ".join(values), ", ".join([mark] * len(values))
    with _connected(database, mode="rw") as connection:
        connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", [*values.values()])
        connection.commit()


async def until_draining(server: Server) -> None:
    """Wait until a worker has heard its SIGTERM."""
    draining = f"SELECT id FROM {WORKERS} WHERE draining"
    await eventually(lambda: rows(server.database, draining), 5, server.log)


def count(database: str, table: str) -> int:
    return int(rows(database, f"SELECT COUNT(*) FROM {table}")[0][0])


@contextmanager
def _connected(database: str, *, mode: str = "ro") -> Iterator[Any]:
    if database.startswith("sqlite:///"):
        path = database.removeprefix("sqlite:///")
        connection: Any = sqlite3.connect(f"file:{path}?mode={mode}", uri=True, timeout=20)
    else:
        connection = psycopg.connect(database, autocommit=True)
    try:
        yield connection
    finally:
        connection.close()


def _sqlite_url(path: Path) -> str:
    return f"sqlite:///{path}"


def _postgresql_bin() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version)
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    assert on_path, "PostgreSQL's server programs are missing: apt-get install postgresql"
    return Path(on_path).parent


def _version(path: Path) -> float:
    return float(path.parts[-3])
