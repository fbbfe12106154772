"""The pool of connections to PostgreSQL, while the server is away."""

import time
from typing import Any

import psycopg
import pytest
from psycopg_pool import ConnectionPool, PoolTimeout

from chatproject import env


class Nobody(psycopg.Connection[Any]):
    """A server that is away, and when it was asked."""

    asked_at: list[float] = []

    @classmethod
    def connect(cls, *args: Any, **kwargs: Any) -> Any:
        cls.asked_at.append(time.monotonic())
        raise psycopg.OperationalError("nobody listens")


def test_who_waits_for_a_connection_gets_one_soon_after_the_server_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Attempts come steadily: a server that was away for minutes is not left alone for one more."""
    monkeypatch.setenv("DATABASE_URL", "postgres://nobody@127.0.0.1/nothing")
    options = env.database()["OPTIONS"]["pool"]
    pool = ConnectionPool("", connection_class=Nobody, open=True, **options)
    try:
        with pytest.raises(PoolTimeout):
            pool.getconn(timeout=8.0)
    finally:
        pool.close()
    asked_at = Nobody.asked_at
    gaps = [after - before for before, after in zip(asked_at, asked_at[1:], strict=False)]
    assert len(gaps) >= 4
    # One for a moment in which this machine stood still.
    assert sum(gap > 1.5 for gap in gaps) <= 1
