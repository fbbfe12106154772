"""System checks of the chat, one test for each id."""

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.checks import CheckMessage, run_checks
from django.db import models
from django.test.utils import isolate_apps
from django.urls import include, path
from pytest_django import Settings

from conversations import checks

PREFIX = "holdfast_conversations."
ROOT = Path(checks.__file__).parents[1]
Check = Callable[..., list[CheckMessage]]


def ids(check: Check) -> list[str]:
    messages = check()
    assert all(message.hint for message in messages)
    return [str(message.id).removeprefix(PREFIX) for message in messages]


def urlconf(*patterns: Any) -> ModuleType:
    module = ModuleType("a_project_s_urls")
    module.urlpatterns = list(patterns)  # type: ignore[attr-defined]
    return module


def test_the_project_s_own_settings_are_right(db: None) -> None:
    assert [m for m in run_checks() if (m.id or "").startswith(PREFIX)] == []


def test_e001_a_provider_that_cannot_be_made(settings: Settings) -> None:
    settings.CHAT_PROVIDERS = {"odd": {"BACKEND": "no.such.Thing"}}
    assert ids(checks.check_providers) == ["E001"]


def test_e002_no_provider(settings: Settings) -> None:
    settings.CHAT_PROVIDERS = {}
    assert ids(checks.check_providers) == ["E002"]
    del settings.CHAT_PROVIDERS
    assert ids(checks.check_providers) == ["E002"]


def test_e003_middleware_that_the_chat_asks(settings: Settings) -> None:
    settings.MIDDLEWARE = ["django.middleware.common.CommonMiddleware", "no.such.Middleware"]
    assert ids(checks.check_middleware) == ["E003"] * 3


def test_e004_urls_that_are_not_included(settings: Settings) -> None:
    settings.LOGIN_URL = "/sign-in/"
    settings.ROOT_URLCONF = urlconf()
    assert ids(checks.check_urls) == ["E004"]
    settings.ROOT_URLCONF = urlconf(path("assistant", include("conversations.urls")))
    assert ids(checks.check_urls) == ["E004"]
    settings.ROOT_URLCONF = urlconf(path("assistant/", include("conversations.urls")))
    assert ids(checks.check_urls) == []


def test_e005_a_page_to_sign_in_that_does_not_exist(settings: Settings) -> None:
    settings.LOGIN_URL = "sign-in"
    assert ids(checks.check_urls) == ["E005"]


def test_e006_a_page_that_no_engine_finds(settings: Settings) -> None:
    settings.TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]
    assert ids(checks.check_template) == ["E006"]


@pytest.mark.parametrize("name", ["CSRF_USE_SESSIONS", "CSRF_COOKIE_HTTPONLY"])
def test_e007_a_token_that_the_page_cannot_read(settings: Settings, name: str) -> None:
    setattr(settings, name, True)
    assert ids(checks.check_csrf_cookie) == ["E007"]


@pytest.mark.parametrize("layers", [None, {}, {"other": {}}])
def test_w001_no_channel_layer(settings: Settings, layers: Any) -> None:
    settings.CHANNEL_LAYERS = layers
    assert ids(checks.check_channel_layer) == ["W001"]


def test_e008_users_of_whom_there_is_no_second_guest(settings: Settings) -> None:
    settings.ALLOW_GUESTS = True
    assert ids(checks.check_guests) == []
    with isolate_apps("conversations"):

        class Member(AbstractBaseUser):
            name = models.CharField(max_length=10, unique=True)
            card = models.CharField(max_length=10, unique=True)
            letter = models.IntegerField(unique=True, null=True)
            ticket = models.UUIDField(unique=True, default=uuid4)

            USERNAME_FIELD = "name"

            class Meta:
                app_label = "holdfast_conversations"

    assert checks.fields_that_guests_lack(Member) == ["card"]


def test_e009_times_without_an_offset(settings: Settings) -> None:
    settings.USE_TZ = False
    assert ids(checks.check_time_zone) == ["E009"]


def test_each_check_has_an_id_of_its_own() -> None:
    places: dict[str, set[str]] = {}
    for app in ("conversations", "streaming", "chatproject"):
        for source in (ROOT / app).rglob("*.py"):
            for found in re.findall(r'id="(\w+\.[EW]\d+)"', source.read_text()):
                places.setdefault(found, set()).add(source.name)
    assert places
    assert {found: files for found, files in places.items() if len(files) > 1} == {}
