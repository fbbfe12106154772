"""The only reader of the process environment. Units are in the names of the variables.

A value that cannot be right raises `ImproperlyConfigured`, with the variable's name.
"""

import re
import secrets
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from streaming import conf as streaming_conf

BASE_DIR: Path = Path(__file__).resolve().parent.parent
LOCAL_DIR: Path = BASE_DIR / ".local"

_env = environ.FileAwareEnv()
_MAIL = "django.core.mail.backends."
_SQLITE_SYNCHRONOUS = ("OFF", "NORMAL", "FULL", "EXTRA")
_SYNCHRONOUS_COMMIT = ("on", "off", "local", "remote_write", "remote_apply")


def text(name: str, default: str = "") -> str:
    """Read a text; `NAME_FILE` names a file that holds it."""
    return str(_env.str(name, default=default)).strip()


def flag(name: str, *, default: bool) -> bool:
    """Read 1 or 0 (also true/false, yes/no, on/off)."""
    return bool(_env.bool(name, default=default)) if text(name) else default


def number(name: str, default: int, *, least: int = 0) -> int:
    """Read a whole number."""
    given = text(name) or str(default)
    if not re.fullmatch(r"[+-]?\d+", given, re.ASCII) or int(given) < least:
        raise ImproperlyConfigured(f"{name}={given}: must be a whole number from {least} on")
    return int(given)


def choice(name: str, default: str, among: tuple[str, ...]) -> str:
    """Read one of some words, in any case."""
    given = text(name) or default
    found = {word.lower(): word for word in among}.get(given.lower())
    if found is None:
        raise ImproperlyConfigured(f"{name}={given}: must be one of {', '.join(among)}")
    return found


def words(name: str, default: tuple[str, ...] = ()) -> list[str]:
    """Read a comma-separated list."""
    return [word.strip() for word in text(name).split(",") if word.strip()] or list(default)


def secret_key() -> str:
    """Return SECRET_KEY; without one, generate it once into `.local/secret-key`."""
    given = text("SECRET_KEY")
    if given:
        return given
    path = LOCAL_DIR / "secret-key"
    if not path.exists():
        LOCAL_DIR.mkdir(exist_ok=True)
        draft = path.with_name(f"secret-key.{secrets.token_hex(4)}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(50))
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            pass  # another process was first; its key counts
        draft.unlink()
    return path.read_text().strip()


def database() -> dict[str, Any]:
    """Return Django's database settings for DATABASE_URL; SQLite in `.local` by default."""
    if not text("DATABASE_URL"):
        LOCAL_DIR.mkdir(exist_ok=True)
    found: dict[str, Any] = _env.db_url("DATABASE_URL", f"sqlite:///{LOCAL_DIR / 'db.sqlite3'}")
    if found["ENGINE"].endswith("sqlite3"):
        # SQLite takes a word that it does not know for NORMAL, which promises less.
        synchronous = choice("SQLITE_SYNCHRONOUS", "FULL", _SQLITE_SYNCHRONOUS)
        found["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": f"PRAGMA journal_mode=WAL; PRAGMA synchronous={synchronous};",
        }
    elif found["ENGINE"].endswith("postgresql"):
        from chatproject.pool import connect_anew  # needs psycopg, which SQLite does without

        most = number("DATABASE_POOL_SIZE", 10, least=1)
        # A commit that the journal has shown must outlive a power loss.
        commit = choice("POSTGRESQL_SYNCHRONOUS_COMMIT", "on", _SYNCHRONOUS_COMMIT)
        found["CONN_MAX_AGE"] = 0
        found["OPTIONS"] = {
            **found.get("OPTIONS", {}),
            "pool": {
                "min_size": 1,
                "max_size": most,
                "timeout": 10,
                # The pool doubles its pauses while the server is away, up to a minute and more.
                "reconnect_timeout": 2,
                "reconnect_failed": connect_anew,
            },
            "options": "-c lock_timeout=5000 -c idle_in_transaction_session_timeout=10000"
            f" -c synchronous_commit={commit}",
            "tcp_user_timeout": 10_000,
            # That is for what we send; these are for waiting for an answer that got lost.
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
        }
    return found


def email(*, debug: bool) -> dict[str, Any]:
    """Return Django's e-mail settings for EMAIL_URL; without one e-mails go nowhere.

    While DEBUG they are printed, so that their links can be followed.
    """
    if text("EMAIL_URL"):
        found: dict[str, Any] = _env.email_url("EMAIL_URL")
        return {name: value for name, value in found.items() if value is not None}
    return {"EMAIL_BACKEND": _MAIL + ("console.EmailBackend" if debug else "dummy.EmailBackend")}


def streaming() -> dict[str, Any]:
    """Return `STREAMING_<KEY>` for every key that the environment sets."""
    found: dict[str, Any] = {}
    for key, kind in streaming_conf.keys().items():
        value = text(f"STREAMING_{key}")
        if value:
            try:
                found[key] = kind(value)
            except ValueError as error:
                raise ImproperlyConfigured(f"STREAMING_{key}={value}: {error}") from None
    return found
