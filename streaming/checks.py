"""System checks of the streaming settings and the database."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.db import connection
from django.utils.module_loading import import_string

from streaming.conf import keys

_NEVER_OFF = ("LEASE_SECONDS", "POLL_INTERVAL_MS", "PENDING_CHARACTERS")


@register(Tags.compatibility)
def check_settings(**kwargs: Any) -> list[CheckMessage]:
    """Report unknown keys, wrong values and a missing recorder."""
    given = getattr(settings, "STREAMING", {})
    found: list[CheckMessage] = [
        Error(
            f"STREAMING has an unknown key {key!r}.",
            hint=f"Known keys: {', '.join(sorted(keys()))}.",
            id="holdfast_streaming.E001",
        )
        for key in given
        if key not in keys()
    ]
    if given.get("ON_DISCONNECT", "continue") not in ("continue", "stop"):
        found.append(
            Error(
                "STREAMING['ON_DISCONNECT'] is neither 'continue' nor 'stop'.",
                hint="'continue' lets a reply go on when its last reader leaves.",
                id="holdfast_streaming.E002",
            )
        )
    for key, value in given.items():
        found += _check_value(key, value)
    try:
        import_string(given.get("RECORDER", ""))
    except ImportError:
        found.append(
            Error(
                "STREAMING['RECORDER'] cannot be imported.",
                hint="Name an object with save(run_id, settlement) and load(run_id).",
                id="holdfast_streaming.E004",
            )
        )
    return found


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
