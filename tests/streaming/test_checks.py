"""System checks, one test for each id."""

import sys
from typing import Any
from uuid import UUID

import pytest
from django.core.checks import run_checks
from pytest_django import Settings

from streaming.checks import (
    check_settings,
    check_sqlite_options,
    check_version,
    check_waking,
)
from streaming.recorder import Settlement

GOOD = {"RECORDER": "conversations.recorder.MessageRecorder"}


class KeepingRecorder:
    """One that keeps replies, and does not know how they go on."""

    def save(self, run_id: UUID, settlement: Settlement) -> bool:
        return True

    def load(self, run_id: UUID) -> None:
        return None


def found(settings: Settings, **given: Any) -> list[str | None]:
    settings.STREAMING = {**GOOD, **given}
    return [message.id for message in check_settings()]


def test_the_project_s_own_settings_are_right(db: None) -> None:
    assert [m for m in run_checks() if (m.id or "").startswith("holdfast_streaming")] == []


def test_right_settings_pass(settings: Settings) -> None:
    assert found(settings, JOURNAL_MIN_INTERVAL_MS=0, DEADLINE_SECONDS=0) == []


def test_e001_an_unknown_key(settings: Settings) -> None:
    assert found(settings, LEASE=15) == ["holdfast_streaming.E001"]


def test_e002_a_disconnect_policy_that_does_not_exist(settings: Settings) -> None:
    assert found(settings, ON_DISCONNECT="die") == ["holdfast_streaming.E002"]


def test_e013_a_policy_for_lost_workers_that_does_not_exist(settings: Settings) -> None:
    assert found(settings, ON_WORKER_LOSS="hope") == ["holdfast_streaming.E013"]
    assert found(settings, RESUME_TRIES=0) == ["holdfast_streaming.E006"]


def test_w003_a_recorder_that_cannot_resume_where_that_is_asked(settings: Settings) -> None:
    unable = f"{__name__}.KeepingRecorder"
    assert found(settings, RECORDER=unable) == []
    assert found(settings, RECORDER=unable, ON_WORKER_LOSS="continue") == [
        "holdfast_streaming.W003"
    ]
    assert found(settings, ON_WORKER_LOSS="continue") == []


@pytest.mark.parametrize("key", ["RUNS_PER_USER", "DEADLINE_SECONDS"])
def test_e003_a_number_below_0(settings: Settings, key: str) -> None:
    assert found(settings, **{key: -1}) == ["holdfast_streaming.E003"]


@pytest.mark.parametrize("recorder", ["", "nowhere.Recorder", "conversations.recorder.Nobody"])
def test_e004_a_recorder_that_cannot_be_imported(settings: Settings, recorder: str) -> None:
    assert found(settings, RECORDER=recorder) == ["holdfast_streaming.E004"]


@pytest.mark.parametrize(
    ("vendor", "version", "fits"),
    [
        ("sqlite", (3, 40, 0), True),
        ("sqlite", (3, 39, 9), False),
        ("postgresql", (14, 0), True),
        ("postgresql", (13, 9), False),
        ("mysql", (9, 0), False),
    ],
)
def test_e005_a_database_that_cannot_keep_the_journal(
    vendor: str, version: tuple[int, ...], fits: bool
) -> None:
    messages = check_version(vendor, version)
    assert [message.id for message in messages] == ([] if fits else ["holdfast_streaming.E005"])
    assert all(message.hint for message in messages)


@pytest.mark.parametrize("key", ["LEASE_SECONDS", "POLL_INTERVAL_MS", "PENDING_CHARACTERS"])
def test_e006_what_is_no_limit_cannot_be_switched_off(settings: Settings, key: str) -> None:
    assert found(settings, **{key: 0}) == ["holdfast_streaming.E006"]


@pytest.mark.parametrize("value", ["15", None])
def test_e007_a_value_of_another_type(settings: Settings, value: Any) -> None:
    assert found(settings, LEASE_SECONDS=value) == ["holdfast_streaming.E007"]


@pytest.mark.parametrize("value", [None, "notes.recorder.NoteRecorder", ["RECORDER"]])
def test_e008_settings_that_are_no_dict(settings: Settings, value: Any) -> None:
    settings.STREAMING = value
    assert [message.id for message in check_settings()] == ["holdfast_streaming.E008"]


def test_e004_no_settings_at_all(settings: Settings) -> None:
    del settings.STREAMING
    assert [message.id for message in check_settings()] == ["holdfast_streaming.E004"]


def test_e009_a_recorder_that_cannot_load(settings: Settings) -> None:
    assert found(settings, RECORDER="streaming.outcome.Outcome") == ["holdfast_streaming.E009"]


@pytest.mark.parametrize(
    ("database", "warned"),
    [
        ({"ENGINE": "django.db.backends.sqlite3"}, True),
        ({"ENGINE": "django.db.backends.sqlite3", "OPTIONS": {"timeout": 20}}, True),
        (
            {
                "ENGINE": "django.db.backends.sqlite3",
                "OPTIONS": {"transaction_mode": "IMMEDIATE"},
            },
            False,
        ),
        ({"ENGINE": "django.db.backends.postgresql"}, False),
    ],
)
def test_w001_transactions_of_sqlite_that_fail_instead_of_waiting(
    database: dict[str, Any], warned: bool
) -> None:
    messages = check_sqlite_options(database)
    assert [message.id for message in messages] == (["holdfast_streaming.W001"] if warned else [])


def test_e010_a_way_to_wake_that_does_not_exist(settings: Settings) -> None:
    assert found(settings, WAKE_BY="shouting") == ["holdfast_streaming.E010"]
    assert found(settings, WAKE_BY="polling") == []


@pytest.mark.parametrize("url", ["http://cache.example/0", "cache.example:6379", "postgres://x/y"])
def test_e011_an_address_that_is_no_redis(settings: Settings, url: str) -> None:
    settings.REDIS_URL = url
    assert [message.id for message in check_waking({})] == ["holdfast_streaming.E011"]


def test_e012_a_redis_without_its_package(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REDIS_URL = "redis://cache.example"
    monkeypatch.setitem(sys.modules, "redis", None)
    assert [message.id for message in check_waking({})] == ["holdfast_streaming.E012"]


@pytest.mark.parametrize("url", ["redis://u:p@cache.example/0", "rediss://[::1]:6379", "unix:///x"])
def test_addresses_of_redis_pass(settings: Settings, url: str) -> None:
    settings.REDIS_URL = url
    assert check_waking({}) == []


@pytest.mark.parametrize(
    ("workers", "url", "engine", "wake_by", "warns"),
    [
        (2, "", "sqlite3", "auto", True),
        (2, "", "postgresql", "polling", True),
        (2, "redis://cache.example", "sqlite3", "auto", False),
        (2, "", "postgresql", "auto", False),
        (1, "", "sqlite3", "auto", False),
    ],
)
def test_w002_several_workers_that_nothing_wakes(
    settings: Settings, workers: int, url: str, engine: str, wake_by: str, warns: bool
) -> None:
    settings.WORKERS, settings.REDIS_URL = workers, url
    settings.STREAMING = {**GOOD, "WAKE_BY": wake_by}
    messages = check_waking({"ENGINE": f"django.db.backends.{engine}"})
    assert [message.id for message in messages] == ["holdfast_streaming.W002"] * warns
