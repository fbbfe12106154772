"""How the pool of connections to PostgreSQL comes back after the server was away."""

from contextlib import suppress
from typing import Any

from psycopg import OperationalError
from psycopg_pool import ConnectionPool


def connect_anew(pool: ConnectionPool[Any]) -> None:
    """Try to connect again at once, when the pool has given up.

    Only somebody who asks for a connection makes the pool try, not those who wait for one already.
    """
    with suppress(OperationalError):
        pool.putconn(pool.getconn(timeout=0.01))
