"""Lines of the log: one for each thing, whatever is in it, and nothing in it that is private."""

import json
import logging
import sys
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from chatproject import logs
from streaming import facts
from streaming.access import AccessLog, safe_path
from tests.conftest import Settings

HOSTILE = "\r\n2026-11-21T00:00:00Z ERROR django: forged\x1b[2J\x9b1m\u2028\u202eevil\x00"


def line(style: str, *, name: str = "streaming.test", **given: Any) -> str:
    """Write one record as the server does."""
    facts_given = given.pop("facts", None)
    record = logging.LogRecord(
        name,
        given.get("level", logging.INFO),
        __file__,
        1,
        given.get("msg", "said"),
        given.get("args", ()),
        given.get("exc_info"),
    )
    if facts_given is not None:
        record.facts = facts_given
    return logs.formatter(style).format(record)


@pytest.mark.parametrize("style", ["text", "json"])
def test_nothing_that_somebody_says_begins_a_line_or_speaks_to_a_terminal(style: str) -> None:
    try:
        raise RuntimeError(HOSTILE)
    except RuntimeError:
        failure = sys.exc_info()
    written = [
        line(style, msg="from %s", args=(HOSTILE,)),
        line(style, facts={"agent": HOSTILE, HOSTILE: "key"}),
        line(style, exc_info=failure),
        line(style, name="django.request", msg="Not Found: %s", args=(f"/{HOSTILE}",)),
    ]
    for one in written:
        first, *rest = one.split("\n")
        assert all(row.startswith("    ") for row in rest)
        assert not rest or style == "text"
        assert one.replace("\n", "").isprintable(), ascii(one)
        if style == "json":
            assert json.loads(one)["level"] == "info"
        else:
            assert " INFO " in first.split(":")[2] and "ERROR django: forged" not in rest


def test_a_line_of_json_says_what_is_known_of_the_request() -> None:
    facts.begin(request_id="abcdefgh", user_id=7)
    found = json.loads(line("json", msg="a %s", args=("word",)))
    assert (found["event"], found["logger"], found["level"]) == ("a word", "streaming.test", "info")
    assert (found["request_id"], found["user_id"]) == ("abcdefgh", 7)
    assert found["timestamp"].endswith("Z")
    assert "request_id=abcdefgh user_id=7" in line("text")
    facts.begin()


def test_an_exception_is_told_with_its_place_and_its_first_line_only() -> None:
    said = ["refused", "DETAIL: Failing row contains (what a person said)."]
    try:
        try:
            raise ValueError("\n".join(said))
        except ValueError as error:
            raise RuntimeError("it failed") from error
    except RuntimeError:
        written = line("text", exc_info=sys.exc_info())
    assert "test_logs.py" in written
    assert "ValueError: refused" in written and "RuntimeError: it failed" in written
    assert "a person said" not in written


def test_secrets_are_taken_out_wherever_they_stand(settings: Settings) -> None:
    settings.SECRET_KEY = "the-key-of-this-test-0123456789"
    settings.CHAT_PROVIDERS = {"x": {"OPTIONS": {"api_key": "upstream-key-0123"}}}
    settings.REDIS_URL = "redis://holdfast:wire%2Dword-0123@cache.example/0"
    logs._secrets.cache_clear()
    texts = (
        "signed with the-key-of-this-test-0123456789",
        "asked with upstream-key-0123",
        "AUTH wire%2Dword-0123 and AUTH wire-word-0123",
        "Authorization: Bearer abcdefghijkl",
        "Cookie: sessionid=abcdefghijkl; csrftoken=abcdefghijkl",
        'said {"password": "abcdefghijkl"}',
        "hf_abcdefghijklmnopqrstuvwxyz",
        "postgres://holdfast:abcdefghijkl@db/chat",
        "GET /somewhere?token=abcdefghijkl",
    )
    for text in texts:
        written = line("text", msg="%s", args=(text,))
        for secret in ("0123", "abcdefgh"):
            assert secret not in written, written
    assert "abcdefgh" not in line("text", facts={"password": "abcdefgh", "session_key": "abcdefgh"})
    logs._secrets.cache_clear()


@pytest.mark.parametrize(
    ("path", "safe"),
    [
        ("/s/" + "x" * 43, "/s/xxxx…"),
        ("/account/reset/MQ/abcdef-0123456789abcdef0123456789/", "/account/reset/MQ/abcd…/"),
        (
            "/api/runs/01a1ffe3-2ab2-7831-aa56-442875cc3acc/events",
            "/api/runs/01a1ffe3-2ab2-7831-aa56-442875cc3acc/events",
        ),
        ("/", "/"),
    ],
)
def test_what_a_link_lets_in_with_is_not_in_the_log(path: str, safe: str) -> None:
    assert safe_path(path) == safe
    shown = line("text", name="django.request", msg="Not Found: %s", args=(path,))
    assert f"Not Found: {safe}" in shown


def test_other_peoples_loggers_are_never_more_talkative_than_info() -> None:
    found = logs.config("DEBUG", "text")
    assert found["loggers"]["streaming"]["level"] == "DEBUG"
    others = [found["root"], found["loggers"]["uvicorn"], found["loggers"]["django"]]
    assert {one["level"] for one in others} == {logging.INFO}
    assert logs.config("WARNING", "json")["root"]["level"] == logging.WARNING


@pytest.mark.parametrize(("level", "style"), [("LOUD", "text"), ("INFO", "yaml")])
def test_a_wrong_setting_is_named(level: str, style: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="LOG_"):
        logs.config(level, style)


# Requests


async def exchange(
    path: str = "/", *, status: int = 200, kind: str = "http", **headers: str
) -> dict[bytes, bytes]:
    """Serve one request; returns the headers of the answer."""
    answered: dict[bytes, bytes] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        facts.note(user_id=7)
        if status:
            await send({"type": "http.response.start", "status": status, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    async def send(message: Any) -> None:
        answered.update(message.get("headers", ()))

    given = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    scope = {"type": kind, "method": "GET", "path": path, "query_string": b"a=1", "headers": given}
    await AccessLog(app)(scope, None, send)
    return answered


async def test_each_request_is_one_line_with_status_time_and_person(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    await exchange("/api/models")
    await exchange("/", status=0)
    await exchange("/healthz")
    first, gone = [record for record in caplog.records if record.name == "streaming.access"]
    assert first.getMessage() == "GET /api/models 200"
    assert first.facts["user_id"] == 7  # type: ignore[attr-defined]
    assert first.facts["duration_ms"] >= 0  # type: ignore[attr-defined]
    assert gone.getMessage() == "GET / 499"


async def test_a_request_keeps_a_sane_id_and_gets_it_back() -> None:
    answered = await exchange(x_request_id="from-the-proxy.1")
    assert answered[b"x-request-id"] == b"from-the-proxy.1"
    for given in ("short", "x" * 65, "two words here", "line\nbreak-12345", "\u00fcber-12345678"):
        answered = await exchange(x_request_id=given)
        made = answered[b"x-request-id"].decode()
        assert made != given and len(made) == 32
