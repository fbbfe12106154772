"""Typed, lazy view of `settings.STREAMING`."""

from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any, Literal

from django.conf import settings
from django.core.signals import setting_changed


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamingSettings:
    """Every key of `STREAMING`, in lower case. A limit of 0 is switched off."""

    recorder: str = ""
    """Dotted path of the recorder: an object with `save` and `load`, and perhaps `resume`."""
    run_directory: str = ""
    """Where workers of this host hold their lock files; empty: no lock files, beats only."""
    on_worker_loss: Literal["interrupt", "continue"] = "interrupt"
    """What becomes of a run whose worker is lost, where its recorder says how it may go on."""
    resume_tries: int = 3
    """How often a run may be continued by another worker: one that kills them must end."""
    runs_per_user: int = 20
    """Runs that one owner may have in flight."""
    runs_per_worker: int = 2000
    """Runs that one process may produce at a time."""
    starts_per_minute: int = 60
    """Starts of one owner in any minute."""
    starts_per_minute_per_address: int = 600
    """Starts from one address in any minute, of this process, or with Redis of all."""
    trusted_proxies: int = 0
    """How many proxies in a row add to `X-Forwarded-For`; with 0 that header is not believed."""
    tokens_per_day: int = 10_000_000
    """Tokens that one owner may spend in a day (UTC), read and written."""
    connections_per_user: int = 200
    """Streams and sockets that one person may hold open with this process."""
    connections_per_worker: int = 10_000
    """Streams and sockets that one process holds open; nobody may have more than is still free."""
    message_characters: int = 200_000
    """Longest question."""
    frame_characters: int = 1_048_576
    """Longest message of a client over a WebSocket; beyond it the socket is closed."""
    on_disconnect: Literal["continue", "stop"] = "continue"
    """What becomes of a run whose last reader left."""
    disconnect_grace_seconds: float = 10.0
    """How long a reader may be away under `stop` before the run is interrupted."""
    no_progress_seconds: float = 120.0
    """Longest time to wait for the next item of a source."""
    deadline_seconds: float = 900.0
    """Longest life of a run."""
    reply_characters: int = 400_000
    """Longest reply, in code points over all parts; beyond it the run ends with `length`."""
    pending_characters: int = 65_536
    """Text of one run that may wait for its commit before the source is no longer read."""
    heartbeat_seconds: float = 10.0
    """Time between two pings on a subscription."""
    connection_seconds: float = 240.0
    """Life of one connection before its planned close."""
    idle_seconds: float = 3600.0
    """Life of a WebSocket without a followed run and without a message."""
    drain_seconds: float = 20.0
    """Time that live runs are given after SIGTERM."""
    lease_seconds: float = 15.0
    """Time without a beat after which another worker declares a worker dead."""
    storage_wait_seconds: float = 120.0
    """How long a run outlives its storage."""
    journal_min_interval_ms: float = 30.0
    """On a busy server, time from one commit to the next; it grows with the runs, to 150 ms."""
    poll_interval_ms: float = 150.0
    """Time between two looks at the runs of other workers, where these do not wake us."""
    wake_by: Literal["auto", "polling"] = "auto"
    """How workers learn of each other's text: Redis or NOTIFY where there is one, or polls only."""


@lru_cache(maxsize=1)
def conf() -> StreamingSettings:
    """Read the settings once.

    Raises:
        TypeError: `STREAMING` has an unknown key (the system check names it with a hint).
    """
    given: dict[str, Any] = getattr(settings, "STREAMING", {})
    return StreamingSettings(**{key.lower(): value for key, value in given.items()})


def keys() -> dict[str, type]:
    """Map each key of `STREAMING` to the type of its value."""
    types = {"int": int, "float": float, "str": str}
    return {
        f.name.upper(): types.get(str(getattr(f.type, "__name__", f.type)), str)
        for f in fields(StreamingSettings)
    }


def _forget(*, setting: str, **kwargs: Any) -> None:
    if setting == "STREAMING":
        conf.cache_clear()


setting_changed.connect(_forget)
