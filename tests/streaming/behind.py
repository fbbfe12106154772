"""The database behind the workers' back: another process's transaction, locks, refusals."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
from django.db import connection

from conversations.models import Message
from streaming.models import Fragment, Run, Worker

MESSAGE = Message._meta.db_table
FRAGMENT = Fragment._meta.db_table
RUN = Run._meta.db_table
WORKER = Worker._meta.db_table


class Behind:
    """A connection of its own, as another process would have."""

    def __init__(self) -> None:
        name = str(connection.settings_dict["NAME"])
        self.sqlite = connection.vendor == "sqlite"
        self._connection: Any
        if self.sqlite:
            self._connection = sqlite3.connect(name, timeout=20, isolation_level=None)
        else:
            self._connection = psycopg.connect(
                host=connection.settings_dict["HOST"],
                port=connection.settings_dict["PORT"],
                user=connection.settings_dict["USER"],
                dbname=name,
                autocommit=True,
            )

    def execute(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement; `%s` and UUIDs as on PostgreSQL."""
        if self.sqlite:
            statement = statement.replace("%s", "?")
            values = tuple(v.hex if isinstance(v, UUID) else v for v in values)
        cursor = self._connection.execute(statement, values)
        return cursor.fetchall() if cursor.description else []

    def begin(self) -> None:
        self.execute("BEGIN IMMEDIATE" if self.sqlite else "BEGIN")

    def commit(self) -> None:
        self.execute("COMMIT")

    def rollback(self) -> None:
        self.execute("ROLLBACK")

    def close(self) -> None:
        self._connection.close()

    def waiting(self) -> bool:
        """Whether somebody waits for a lock; SQLite does not tell."""
        if self.sqlite:
            return True
        rows = self.execute(
            "SELECT 1 FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(rows)


@contextmanager
def behind() -> Iterator[Behind]:
    other = Behind()
    try:
        yield other
    finally:
        other.close()


@contextmanager
def refusing_writes() -> Iterator[Behind]:
    """Let no write of the journal and of settlements through; reads go on."""
    with behind() as other:
        other.begin()
        if not other.sqlite:
            other.execute(f"LOCK TABLE {WORKER}, {FRAGMENT}, {RUN} IN EXCLUSIVE MODE")
        try:
            yield other
        finally:
            other.commit()


@contextmanager
def refusing_fragments() -> Iterator[Behind]:
    """Let no text through by an operational error; workers may be written."""
    with behind() as other:
        if other.sqlite:
            other.execute(f"ALTER TABLE {FRAGMENT} RENAME TO away")
        else:
            other.begin()
            other.execute(f"LOCK TABLE {FRAGMENT} IN EXCLUSIVE MODE")
        try:
            yield other
        finally:
            if other.sqlite:
                other.execute(f"ALTER TABLE away RENAME TO {FRAGMENT}")
            else:
                other.commit()


@contextmanager
def refusing(table: str, column: str, value: UUID | str) -> Iterator[None]:
    """Make the database refuse rows with this value by an error that is not operational."""
    with behind() as other:
        given = value.hex if other.sqlite and isinstance(value, UUID) else str(value)
        if other.sqlite:
            for verb in ("INSERT", "UPDATE"):
                other.execute(
                    f"CREATE TRIGGER refuse_{verb} BEFORE {verb} ON {table}"
                    f" WHEN NEW.{column} = '{given}' BEGIN SELECT RAISE(ABORT, 'planted'); END"
                )
        else:
            other.execute(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$"
                " BEGIN RAISE EXCEPTION 'planted'; END $$"
            )
            other.execute(
                f"CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW"
                f" WHEN (NEW.{column} = '{given}') EXECUTE FUNCTION refuse()"
            )
        try:
            yield
        finally:
            if other.sqlite:
                other.execute("DROP TRIGGER refuse_INSERT")
                other.execute("DROP TRIGGER refuse_UPDATE")
            else:
                other.execute(f"DROP TRIGGER refuse ON {table}")
                other.execute("DROP FUNCTION refuse()")
