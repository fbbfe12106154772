"""The settings of a site that is served over HTTPS, as an operator gives them."""

import inspect
import json
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.test import AsyncClient
from pytest_django import Settings

from chatproject import env

ROOT = Path(__file__).resolve().parent.parent
SECRETS = {
    "SECRET_KEY": secrets.token_urlsafe(50),
    "DATABASE_URL": "postgres://holdfast:pass%2Fword@db.example:5432/chat",
    "REDIS_URL": "redis://holdfast:word-of-a-file@cache.example:6379/0",
    "EMAIL_URL": "smtp+tls://me:secret@mail.example:587",
    "OPENAI_API_KEY": "sk-of-a-file",
    "SENTRY_DSN": "https://of-a-file@sentry.example/1",
    "METRICS_TOKEN": "a-token-of-a-file",
}
PRODUCTION = {
    "HTTPS": "1",
    "ALLOWED_HOSTS": "chat.example",
    "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
    "OPENAI_MODELS": "m",
}


def python(*arguments: str, **given: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    environment = {"PATH": os.environ["PATH"], **PRODUCTION, **given}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100
    )


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Every secret in a file of its own, with the line's end that editors add."""
    found = {}
    for name, value in SECRETS.items():
        path = tmp_path / name
        path.write_text(value + "\n")
        found[f"{name}_FILE"] = str(path)
    return found


def test_the_checks_of_a_deployment_find_nothing(tmp_path: Path, files: dict[str, str]) -> None:
    files.pop("DATABASE_URL_FILE")
    database = f"sqlite:///{tmp_path / 'db.sqlite3'}"
    done = python(
        *(
            "-W",
            "error",
            "-W",
            "ignore:The EMAIL_",
            "manage.py",
            "check",
            "--deploy",
            "--fail-level",
            "WARNING",
        ),
        **files,
        DATABASE_URL=database,
    )
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


def test_every_secret_is_read_from_the_file_that_names_it(files: dict[str, str]) -> None:
    code = """if True:
        import json
        from chatproject import settings as s
        print(json.dumps([
            s.SECRET_KEY, s.DATABASES["default"]["PASSWORD"], s.DATABASES["default"]["NAME"],
            s.EMAIL_HOST_PASSWORD, s.CHAT_PROVIDERS["openai"]["OPTIONS"]["api_key"],
            s.METRICS_TOKEN, s.SENTRY_DSN, s.REDIS_URL,
        ]))
    """
    done = python("-c", code, **files)
    assert done.returncode == 0, done.stderr
    read = json.loads(done.stdout)
    wanted = [SECRETS["SECRET_KEY"], "pass/word", "chat", "secret", "sk-of-a-file"]
    wanted += ["a-token-of-a-file", SECRETS["SENTRY_DSN"], SECRETS["REDIS_URL"]]
    assert read == wanted
    for value in SECRETS.values():
        assert value not in done.stderr


def test_the_list_of_secrets_is_whole() -> None:
    """What the settings read and is called like a secret can stand in a file."""
    text = (ROOT / "chatproject" / "settings.py").read_text()
    text += Path(env.__file__).read_text()
    looks_so = re.compile(r"[\"(]([A-Z_]*(?:KEY|TOKEN|PASSWORD|SECRET|DSN|_URL))\"")
    named = set(looks_so.findall(text)) - {"OPENAI_BASE_URL"}
    assert named == set(SECRETS)


@pytest.fixture
def https(settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = settings.SESSION_COOKIE_SECURE = True
    settings.CSRF_COOKIE_SECURE = True
    settings.SECURE_HSTS_SECONDS = 31_536_000
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = settings.SECURE_HSTS_PRELOAD = True
    settings.ALLOWED_HOSTS = ["testserver"]


@pytest.mark.parametrize("chosen", ["0", "1"])
def test_other_names_of_the_domain_are_bound_to_https_only_where_that_is_chosen(
    chosen: str,
) -> None:
    code = """
        import json
        from chatproject import settings as s
        print(json.dumps([s.SECURE_HSTS_SECONDS > 0, s.SECURE_HSTS_INCLUDE_SUBDOMAINS,
            s.SECURE_HSTS_PRELOAD, s.SILENCED_SYSTEM_CHECKS == []]))
    """
    given = {"HSTS_SUBDOMAINS": chosen} if chosen == "1" else {}
    done = python("-c", inspect.cleandoc(code), SECRET_KEY=SECRETS["SECRET_KEY"], **given)
    assert json.loads(done.stdout) == [True] + [chosen == "1"] * 3, done.stderr


PLACES = ["/", "/account/sign-in", "/admin/login/", "/api/session", "/api/nothing", "/nothing"]
PLACES += ["/static/conversations/icon.svg", "/healthz", "/api/docs", "/account/keys"]


@pytest.mark.parametrize("place", PLACES)
async def test_every_answer_over_https_has_the_headers_that_protect_it(
    transactional_db: None, https: None, place: str
) -> None:
    answer: Any = await AsyncClient().get(place, secure=True)
    assert answer["Strict-Transport-Security"].startswith("max-age=31536000")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    if not place.startswith("/static/"):
        assert answer["X-Frame-Options"] == "DENY"
        policy = answer["Content-Security-Policy"]
        for part in ("default-src 'none'", "object-src 'none'", "base-uri 'none'"):
            assert part in policy
        assert "frame-ancestors 'none'" in policy and "unsafe" not in policy
    for cookie in answer.cookies.values():
        assert cookie["secure"], cookie
        assert cookie["samesite"] == "Lax", cookie


async def test_plain_http_is_led_to_https_and_another_host_is_refused(
    transactional_db: None, https: None, settings: Settings
) -> None:
    plain: Any = await AsyncClient().get("/")
    assert (plain.status_code, plain["Location"]) == (301, "https://testserver/")
    settings.ALLOWED_HOSTS = ["chat.example"]
    strange: Any = await AsyncClient().get("/", secure=True)
    assert strange.status_code == 400


def test_collectstatic_makes_the_names_with_hashes_on_a_machine_that_has_none() -> None:
    script = (
        "import sys; sys.argv = ['manage.py', 'collectstatic']\n"
        "from chatproject import settings\n"
        "print(settings.STORAGES['staticfiles']['BACKEND'])"
    )
    done = python("-c", script, SECRET_KEY="k" * 50)
    assert done.stdout.strip().endswith("CompressedManifestStaticFilesStorage"), done.stderr
