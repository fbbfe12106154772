"""Where lines of the log come from and what they look like: one way for everybody's.

Ours, Django's, uvicorn's and daphne's pass through the same steps: facts of the request at hand are
added, secrets are taken out, what could forge a line or move a terminal's cursor is escaped.
"""

# ruff: noqa: E402  what must not be imported is said first

import json
import logging
import re
import sys
import traceback
from functools import lru_cache
from typing import Any
from urllib.parse import unquote, urlsplit

# structlog imports Twisted wherever it is installed, which takes half a second of each start.
sys.modules.setdefault("structlog.twisted", None)  # type: ignore[arg-type]
import structlog
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from streaming import facts
from streaming.access import safe_path

FORMATS = ("text", "json")

_OURS = ("chatproject", "conversations", "streaming")
_LEAST_SECRET_CHARACTERS = 8
_SECRET_NAMES = re.compile(r"secret|passw|token$|api_?key|cookie|authorization|session_?key", re.I)
_SECRETS = re.compile(
    r"(?P<before>\bBearer\s+|\b(?:sessionid|csrftoken|password|passwd|token|api_?key)[\"']?\s*[=:]\s*[\"']?)"
    r"[^\s\"'&;,]+|\bhf_[A-Za-z0-9_-]{16,}|\bsk-[A-Za-z0-9_-]{16,}",
    re.I,
)
_USER_INFO = re.compile(r"(?<=://)[^/\s@]+@")
_QUERY = re.compile(r"(?<=[\w/])\?[\w%.~+-]+=[^\s\"']*")
# What moves a cursor, ends a line or turns the direction of writing.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_MESSAGE_CHARACTERS = 300
_EVENT_CHARACTERS = 4000


def config(level: str, style: str, *, console: bool = True) -> dict[str, Any]:
    """Return `LOGGING`.

    Args:
        level: of our own loggers. Others are never more talkative than INFO: at DEBUG they write
            statements with their parameters, frames and headers, so what people say.
        style: `text` or `json`, one object in each line.
        console: whether the last lines are kept for the staff's console.
    """
    if style not in FORMATS:
        raise ImproperlyConfigured(f"LOG_FORMAT is {style!r}, not one of: {', '.join(FORMATS)}.")
    known = logging.getLevelNamesMapping()
    if level not in known:
        raise ImproperlyConfigured(f"LOG_LEVEL is {level!r}, not one of: {', '.join(known)}.")
    others = max(known[level], logging.INFO)
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {"()": "chatproject.logs.formatter", "style": style},
            "console": {"()": "chatproject.logs.formatter", "style": "json"},
        },
        "filters": {"sockets": {"()": "chatproject.logs.WithoutSockets"}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "line"},
            "console": {
                "()": "conversations.console.tail.of_this_process",
                "formatter": "console",
            },
        },
        "root": {"handlers": ["stderr", *(["console"] if console else [])], "level": others},
        "loggers": {
            **{name: {"level": level} for name in _OURS},
            # Their handlers give way to the root's.
            "django": {"handlers": [], "level": others, "propagate": True},
            "uvicorn": {"handlers": [], "level": others, "propagate": True},
            "uvicorn.error": {"level": others, "filters": ["sockets"]},
            # Requests are logged by `streaming.access`, without their queries.
            "uvicorn.access": {"handlers": [], "level": "CRITICAL", "propagate": False},
            "django.request": {"level": "ERROR"},
            "django.server": {"handlers": [], "level": "ERROR", "propagate": True},
            "django.channels.server": {"handlers": [], "level": "WARNING", "propagate": True},
            "django.utils.autoreload": {"level": "WARNING"},
            "httpx": {"level": "WARNING"},
            "urllib3": {"level": "ERROR"},
        },
    }


class WithoutSockets(logging.Filter):
    """Drops uvicorn's lines about each WebSocket: they have its query, and we have a line."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a record stays."""
        text = str(record.msg)
        return '"WebSocket ' not in text and text not in ("connection open", "connection closed")


def formatter(style: str) -> logging.Formatter:
    """Make what turns a record into a line."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
        ],
        processors=[
            _add_facts,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _write_exception,
            _take_out_secrets,
            _as_json if style == "json" else _as_text,
        ],
    )


def _add_facts(logger: Any, name: str, line: Any) -> Any:
    record = line.get("_record")
    given = getattr(record, "facts", None)
    line.update(facts.known() if given is None else given)
    return line


def _write_exception(logger: Any, name: str, line: Any) -> Any:
    """Write where it came from, and of what an exception says no more than a line.

    PostgreSQL tells the whole row behind its first line, and validators what was given.
    """
    found = line.pop("exc_info", None)
    line.pop("stack_info", None)
    if isinstance(found, BaseException):
        found = (type(found), found, found.__traceback__)
    if not isinstance(found, tuple) or found[1] is None:
        return line
    written: list[str] = []
    error: BaseException | None = found[1]
    while error is not None and len(written) < 100:
        frames = traceback.format_tb(error.__traceback__)
        says = str(error).partition("\n")[0][:_MESSAGE_CHARACTERS]
        here = ["Traceback (most recent call last):", *"".join(frames).splitlines()]
        here.append(f"{type(error).__module__}.{type(error).__qualname__}: {says}")
        written = [*here, "which led to:", *written] if written else here
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    line["exception"] = "\n".join(written)
    return line


def _take_out_secrets(logger: Any, name: str, line: Any) -> Any:
    for key, value in line.items():
        if _SECRET_NAMES.search(key):
            line[key] = "[secret]"
        elif isinstance(value, str):
            line[key] = without_secrets(value)
    if str(line.get("logger", "")).startswith("django."):
        line["event"] = " ".join(
            safe_path(word) if word.startswith("/") else word for word in line["event"].split(" ")
        )
    line["event"] = str(line["event"])[:_EVENT_CHARACTERS]
    return line


def without_secrets(text: str) -> str:
    """Take out what might let somebody in."""
    for secret in _secrets() if settings.configured else ():
        text = text.replace(secret, "[secret]")
    text = _SECRETS.sub(lambda found: f"{found['before'] or ''}[secret]", text)
    return _QUERY.sub("?…", _USER_INFO.sub("[secret]@", text))


@lru_cache(maxsize=1)
def _secrets() -> tuple[str, ...]:
    """List what the settings hold that nobody may read, longest first."""
    found: set[str] = set()

    def look(name: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                look(str(key), inner)
        elif isinstance(value, list | tuple):
            for inner in value:
                look(name, inner)
        elif isinstance(value, str) and _SECRET_NAMES.search(name):
            if len(value) >= _LEAST_SECRET_CHARACTERS and "." not in value:
                found.add(value)

    for name in ("SECRET_KEY", "SECRET_KEY_FALLBACKS", "METRICS_TOKEN", "EMAIL_HOST_PASSWORD"):
        look(name, getattr(settings, name, ""))
    look("DATABASES", settings.DATABASES)
    look("CHAT_PROVIDERS", getattr(settings, "CHAT_PROVIDERS", {}))
    redis = urlsplit(getattr(settings, "REDIS_URL", "")).password or ""
    look("password", [redis, unquote(redis)])
    return tuple(sorted(found, key=len, reverse=True))


def _as_json(logger: Any, name: str, line: Any) -> str:
    first = ("timestamp", "level", "logger", "event")
    ordered = {key: line[key] for key in first if key in line}
    return json.dumps({**ordered, **line}, default=str)


def _as_text(logger: Any, name: str, line: Any) -> str:
    exception = line.pop("exception", "")
    head = [line.pop(key, "") for key in ("timestamp", "level", "logger", "event")]
    when, level, who, event = (plain(str(part)) for part in head)
    rest = "".join(f" {plain(str(key))}={_quoted(value)}" for key, value in line.items())
    lines = [f"{when} {level.upper()} {who}: {event}{rest}"]
    lines += [f"    {plain(one)}" for one in exception.splitlines()]
    return "\n".join(lines)


def _quoted(value: Any) -> str:
    text = plain(str(value))
    return text if re.fullmatch(r"[\w.:/+-]+", text) else json.dumps(text)


def plain(text: str) -> str:
    """Escape what could end a line or speak to a terminal."""
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)
