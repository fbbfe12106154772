"""The settings of streams."""

import pytest
from pytest_django import Settings

from streaming.conf import StreamingSettings, conf, keys


def test_a_changed_setting_is_read_again(settings: Settings) -> None:
    settings.STREAMING = {"LEASE_SECONDS": 7}
    assert conf().lease_seconds == 7
    settings.STREAMING = {}
    assert conf().lease_seconds == StreamingSettings().lease_seconds == 15


def test_an_unknown_key_is_not_ignored(settings: Settings) -> None:
    settings.STREAMING = {"LEASE": 7}
    with pytest.raises(TypeError, match="lease"):
        conf()


def test_every_key_has_a_type_that_the_environment_can_give() -> None:
    found = keys()
    assert found["LEASE_SECONDS"] is float
    assert found["RUNS_PER_USER"] is int
    assert found["ON_DISCONNECT"] is str
    assert set(found.values()) <= {int, float, str}


def test_defaults_are_of_their_types() -> None:
    for key, kind in keys().items():
        value = getattr(StreamingSettings(), key.lower())
        assert isinstance(value, kind | int if kind is float else kind), key
