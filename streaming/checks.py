"""System checks of the streaming settings and the database."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connection
from django.utils.module_loading import import_string

from streaming.conf import keys
from streaming.waking.lines import redis_url

_NEVER_OFF = ("LEASE_SECONDS", "POLL_INTERVAL_MS", "PENDING_CHARACTERS", "RESUME_TRIES")

_CANNOT_RESUME = Warning(
    "STREAMING['ON_WORKER_LOSS'] is 'continue', but the recorder has no resume(run_id, parts).",
    hint="Without it the replies of a lost worker are interrupted.",
    id="holdfast_streaming.W003",
)


class _Choice(NamedTuple):
    """A key with two values."""

    key: str
    default: str
    other: str
    hint: str
    id: str


_CHOICES = (
    _Choice(
        "ON_DISCONNECT",
        "continue",
        "stop",
        hint="'continue' lets a reply go on when its last reader leaves.",
        id="holdfast_streaming.E002",
    ),
    _Choice(
        "WAKE_BY",
        "auto",
        "polling",
        hint="'auto' uses Redis where REDIS_URL is set, else NOTIFY on PostgreSQL.",
        id="holdfast_streaming.E010",
    ),
    _Choice(
        "ON_WORKER_LOSS",
        "interrupt",
        "continue",
        hint="'continue' lets another worker go on with the replies of a lost one.",
        id="holdfast_streaming.E013",
    ),
)


@register(Tags.compatibility)
def check_settings(**kwargs: Any) -> list[CheckMessage]:
    """Report unknown keys, wrong values and a missing recorder."""
    given = getattr(settings, "STREAMING", {})
    if not isinstance(given, dict):
        return [
            Error(
                "STREAMING is no dict.",
                hint='At least: STREAMING = {"RECORDER": "notes.recorder.NoteRecorder"}.',
                id="holdfast_streaming.E008",
            )
        ]
    found: list[CheckMessage] = [
        Error(
            f"STREAMING has an unknown key {key!r}.",
            hint=f"Known keys: {', '.join(sorted(keys()))}.",
            id="holdfast_streaming.E001",
        )
        for key in given
        if key not in keys()
    ]
    found += [
        Error(
            f"STREAMING[{one.key!r}] is neither {one.default!r} nor {one.other!r}.",
            hint=one.hint,
            id=one.id,
        )
        for one in _CHOICES
        if given.get(one.key, one.default) not in (one.default, one.other)
    ]
    for key, value in given.items():
        found += _check_value(key, value)
    continues = given.get("ON_WORKER_LOSS") == "continue"
    return [*found, *_check_recorder(given.get("RECORDER", ""), continues=continues)]


def _check_recorder(path: Any, *, continues: bool) -> list[CheckMessage]:
    hint = "Name an object with save(run_id, settlement) and load(run_id)."
    try:
        recorder = import_string(path) if isinstance(path, str) else None
    except ImportError:
        message = "STREAMING['RECORDER'] cannot be imported."
        return [Error(message, hint=hint, id="holdfast_streaming.E004")]
    if callable(getattr(recorder, "save", None)) and callable(getattr(recorder, "load", None)):
        if continues and not callable(getattr(recorder, "resume", None)):
            return [_CANNOT_RESUME]
        return []
    message = "STREAMING['RECORDER'] has not both save and load."
    return [Error(message, hint=hint, id="holdfast_streaming.E009")]


def _check_value(key: str, value: Any) -> list[CheckMessage]:
    kind = keys().get(key, object)
    if not isinstance(value, (int, float) if kind is float else kind):
        return [
            Error(
                f"STREAMING[{key!r}] is no {kind.__name__}.",
                hint="Numbers are written without quotes.",
                id="holdfast_streaming.E007",
            )
        ]
    if isinstance(value, int | float) and value < 0:
        return [
            Error(
                f"STREAMING[{key!r}] is below 0.",
                hint="0 switches a limit off.",
                id="holdfast_streaming.E003",
            )
        ]
    if key in _NEVER_OFF and value == 0:
        return [
            Error(
                f"STREAMING[{key!r}] is 0.",
                hint="It is no limit that could be switched off.",
                id="holdfast_streaming.E006",
            )
        ]
    return []


@register(Tags.compatibility)
def check_line(**kwargs: Any) -> list[CheckMessage]:
    """Report what keeps workers from waking each other."""
    return check_waking(settings.DATABASES.get("default", {}))


def check_waking(default: dict[str, Any]) -> list[CheckMessage]:
    """Report a Redis that cannot be spoken to, and workers that nothing wakes."""
    url = redis_url()
    if url and urlsplit(url).scheme not in ("redis", "rediss", "unix"):
        return [
            Error(
                "REDIS_URL is no address of a Redis.",
                hint="redis://host:6379/0, rediss://… with TLS, or unix:///path/to/socket.",
                id="holdfast_streaming.E011",
            )
        ]
    if url and find_spec("redis") is None:
        return [
            Error(
                "REDIS_URL is set, but the package redis is not installed.",
                hint="pip install redis",
                id="holdfast_streaming.E012",
            )
        ]
    streaming = getattr(settings, "STREAMING", {})
    polls = isinstance(streaming, dict) and streaming.get("WAKE_BY") == "polling"
    speaks = url or str(default.get("ENGINE", "")).endswith("postgresql")
    if (polls or not speaks) and int(getattr(settings, "WORKERS", 1)) > 1:
        return [
            Warning(
                "Several workers have nothing to wake each other by: readers of another worker's"
                " replies wait for polls, and tabs on two workers see each other's changes late.",
                hint="Set REDIS_URL, or use PostgreSQL.",
                id="holdfast_streaming.W002",
            )
        ]
    return []


@register(Tags.compatibility)
def check_sqlite(**kwargs: Any) -> list[CheckMessage]:
    """Warn of a database whose transactions fail instead of waiting."""
    return check_sqlite_options(settings.DATABASES.get("default", {}))


def check_sqlite_options(default: dict[str, Any]) -> list[CheckMessage]:
    """Warn where a transaction that read before it writes cannot wait for its turn."""
    if not str(default.get("ENGINE", "")).endswith("sqlite3"):
        return []
    if default.get("OPTIONS", {}).get("transaction_mode") == "IMMEDIATE":
        return []
    return [
        Warning(
            "SQLite's transactions are not IMMEDIATE: with two processes one of them may fail"
            " as 'database is locked'.",
            hint='"OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": 20,'
            ' "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"}',
            id="holdfast_streaming.W001",
        )
    ]


@register(Tags.database)
def check_database(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Refuse databases whose statements the journal does not speak."""
    if databases is not None and "default" not in databases:
        return []
    return check_version(connection.vendor, _version())


def check_version(vendor: str, version: tuple[int, ...]) -> list[CheckMessage]:
    """Say whether the journal can live in this database."""
    oldest = {"sqlite": (3, 40), "postgresql": (14,)}
    if vendor in oldest and version >= oldest[vendor]:
        return []
    return [
        Error(
            f"The journal cannot be kept in {vendor} {'.'.join(map(str, version))}.",
            hint="Use SQLite 3.40 or newer, or PostgreSQL 14 or newer (DATABASE_URL).",
            id="holdfast_streaming.E005",
        )
    ]


def _version() -> tuple[int, ...]:
    return tuple(connection.get_database_version())
