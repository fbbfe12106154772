"""The journal's SQL, for SQLite and PostgreSQL."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

import msgspec
from django.db import connection

from streaming.cursor import Cursor
from streaming.models import Fragment, Run, Worker
from streaming.transcript import Piece, StoredPart


class Fenced(Exception):
    """This worker was declared dead: it may neither add text nor settle."""


Row = tuple[UUID, Piece]
"""One fragment on its way to the journal."""

_FRAGMENT = Fragment._meta.db_table
_RUN = Run._meta.db_table
_WORKER = Worker._meta.db_table

# One statement: the worker row is locked FOR SHARE in the same snapshot, so that a takeover waits
# for this insert or this insert sees the takeover. A plain join would let rows in behind it.
_APPEND_POSTGRESQL = f"""
    WITH w AS (SELECT id FROM {_WORKER} WHERE id = %s AND alive FOR SHARE),
    i AS (
        INSERT INTO {_FRAGMENT} (run_id, part, kind, "end", text)
        SELECT f.* FROM w, unnest(%s::uuid[], %s::int[], %s::text[], %s::int[], %s::text[]) AS f
        ON CONFLICT DO NOTHING
    )
    SELECT count(*) FROM w
"""
# One statement, too: each one lets go of the interpreter lock, and in a busy process waits for it.
_APPEND_SQLITE = f"""
    INSERT INTO {_FRAGMENT} (run_id, part, kind, "end", text)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(%s)
    WHERE EXISTS (SELECT 1 FROM {_WORKER} WHERE id = %s AND alive)
    ON CONFLICT DO NOTHING
"""
_INSERT = f"""
    INSERT INTO {_FRAGMENT} (run_id, part, kind, "end", text)
    VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""

# SQLite has one writer at a time: whoever writes has held off the others.
_LOCK = {
    "postgresql": f"SELECT 1 FROM {_WORKER} WHERE id = %s AND alive FOR SHARE",
    "sqlite": f"SELECT 1 FROM {_WORKER} WHERE id = %s AND alive",
}


def append(worker_id: UUID, rows: Sequence[Row]) -> None:
    """Store fragments; a repeat of the same rows is harmless.

    Raises:
        Fenced: the worker's row is gone or not alive; nothing was stored.
    """
    if connection.vendor == "postgresql":
        _append_postgresql(worker_id, rows)
    else:
        _append_sqlite(worker_id, rows)


def _append_sqlite(worker_id: UUID, rows: Sequence[Row]) -> None:
    values = [(run_id.hex, *_columns(piece)) for run_id, piece in rows]
    with connection.cursor() as cursor:
        cursor.execute(_APPEND_SQLITE, (msgspec.json.encode(values).decode(), worker_id.hex))
        added = cursor.rowcount
    if not added:
        # A repeat, or fenced.
        lock_worker(worker_id)


def _append_postgresql(worker_id: UUID, rows: Sequence[Row]) -> None:
    columns = list(zip(*[(run_id, *_columns(piece)) for run_id, piece in rows], strict=True))
    with connection.cursor() as cursor:
        lists = map(list, columns or [()] * 5)
        cursor.execute(_APPEND_POSTGRESQL, (worker_id, *lists))
        if cursor.fetchone()[0] == 0:
            raise Fenced


def insert(rows: Iterable[Row]) -> None:
    """Store fragments inside the caller's transaction."""
    values = [(_key(run_id), *_columns(piece)) for run_id, piece in rows]
    if values:
        with connection.cursor() as cursor:
            cursor.executemany(_INSERT, values)


def _columns(piece: Piece) -> tuple[int, str, int, str]:
    return piece.part, piece.kind, piece.start + len(piece.text), piece.text


def lock_worker(worker_id: UUID) -> None:
    """Hold off a takeover until the caller's transaction ends.

    Raises:
        Fenced: the takeover has happened.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LOCK[connection.vendor], (_key(worker_id),))
        if cursor.fetchone() is None:
            raise Fenced


def stored_parts(run_ids: Iterable[UUID]) -> dict[UUID, list[StoredPart]]:
    """Join the fragments of runs into their parts.

    In plain SQL: a long reply has thousands of fragments, and converters would cost more than the
    query.
    """
    ids = {_key(run_id): run_id for run_id in run_ids}
    pieces: dict[UUID, list[Piece]] = {run_id: [] for run_id in ids.values()}
    if ids:
        places = ", ".join(["%s"] * len(ids))
        with connection.cursor() as cursor:
            cursor.execute(
                f"""SELECT run_id, part, kind, "end", text FROM {_FRAGMENT}
                WHERE run_id IN ({places}) ORDER BY run_id, part, "end" """,
                list(ids),
            )
            for key, part, kind, end, text in cursor.fetchall():
                pieces[ids[key]].append(Piece(part, kind, end - len(text), text))
    return {run_id: join_pieces(found) for run_id, found in pieces.items()}


def join_pieces(pieces: Iterable[Piece]) -> list[StoredPart]:
    """Join pieces in order into parts; overlap is cut."""
    texts: list[tuple[str, list[str], int]] = []
    for piece in pieces:
        if piece.part > len(texts):
            texts.append((piece.kind, [], 0))
        kind, found, length = texts[-1]
        if piece.end > length:
            found.append(piece.text[length - piece.start :])
            texts[-1] = (kind, found, piece.end)
    return [StoredPart(kind, "".join(found)) for kind, found, _ in texts]


# Through the key of the fragments, from each place on. Left to itself PostgreSQL reads all of
# the table; OFFSET keeps it from that.
_BEHIND = {
    "postgresql": f"""
        LEFT JOIN LATERAL (
            SELECT part, kind, "end", text FROM {_FRAGMENT}
            WHERE run_id = v.id AND (part, "end") > (v.part, v.position) OFFSET 0
        ) f ON true
    """,
    "sqlite": f"""
        LEFT JOIN {_FRAGMENT} f ON f.run_id = v.id AND (f.part, f."end") > (v.part, v.position)
    """,
}


class Followed(NamedTuple):
    """What a poll found of one run."""

    owner: UUID | None
    """Who produces it; None where it is not live any more."""
    pieces: list[Piece]
    owned: bool = True
    """Whether a living worker produces it."""

    @property
    def live(self) -> bool:
        """Whether the run has no end yet."""
        return self.owner is not None


def follow(positions: dict[UUID, Cursor]) -> dict[UUID, Followed]:
    """Read what lies behind each position, and who produces each run still, in one statement."""
    found = {run_id: Followed(None, []) for run_id in positions}
    ids = {_key(run_id): run_id for run_id in positions}
    postgresql = connection.vendor == "postgresql"
    place = "(%s::uuid, %s::int, %s::int)" if postgresql else "(%s, %s, %s)"
    sql = f"""
        WITH v(id, part, position) AS (VALUES {", ".join([place] * len(positions))})
        SELECT v.id, r.worker_id, w.id, f.part, f.kind, f."end", f.text
        FROM v LEFT JOIN {_RUN} r ON r.id = v.id
        LEFT JOIN {_WORKER} w ON w.id = r.worker_id AND w.alive AND NOT r.released
        {_BEHIND[connection.vendor]}
        ORDER BY v.id, f.part, f."end"
    """
    values = [value for run_id, at in positions.items() for value in (_key(run_id), *at)]
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        for key, owner, alive, part, kind, end, text in cursor.fetchall():
            run_id = ids[key]
            if owner is not None and not found[run_id].live:
                found[run_id] = Followed(_id(owner), found[run_id].pieces, alive is not None)
            if text is not None:
                found[run_id].pieces.append(Piece(part, kind, end - len(text), text))
    return found


def _id(key: UUID | str) -> UUID:
    return key if isinstance(key, UUID) else UUID(key)


def _key(run_id: UUID) -> UUID | str:
    return run_id if connection.vendor == "postgresql" else run_id.hex
