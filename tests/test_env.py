"""Values of the environment that cannot be right."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from chatproject import env


@pytest.mark.parametrize("given", ["x", "1.5", "-1", "1 2", "١"])
def test_a_number_that_is_none_is_named(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETENTION_DAYS", given)
    with pytest.raises(ImproperlyConfigured, match="RETENTION_DAYS"):
        env.number("RETENTION_DAYS", 0)


def test_a_number_is_read_and_an_empty_one_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETENTION_DAYS", " 30 ")
    assert env.number("RETENTION_DAYS", 0) == 30
    monkeypatch.setenv("RETENTION_DAYS", "")
    assert env.number("RETENTION_DAYS", 7) == 7


@pytest.mark.parametrize(
    ("url", "variable"),
    [
        ("sqlite:////nowhere/db.sqlite3", "SQLITE_SYNCHRONOUS"),
        ("postgres://somebody@127.0.0.1/nowhere", "POSTGRESQL_SYNCHRONOUS_COMMIT"),
    ],
)
def test_a_promise_about_power_loss_is_not_broken_by_a_slip(
    url: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv(variable, "sometimes")
    with pytest.raises(ImproperlyConfigured, match=variable):
        env.database()


def test_a_setting_of_streaming_that_is_no_number_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STREAMING_LEASE_SECONDS", "abc")
    with pytest.raises(ImproperlyConfigured, match="STREAMING_LEASE_SECONDS"):
        env.streaming()
