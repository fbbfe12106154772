"""Providers by alias, models by id."""

import asyncio

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from conversations.providers import providers
from conversations.providers.base import BaseProvider
from conversations.providers.types import Model

DEMO = {"BACKEND": "conversations.providers.demo.DemoProvider"}
OPENAI = "conversations.providers.openai.OpenAIProvider"


def upstream(*models):
    options = {"base_url": "http://127.0.0.1:1/v1", "models": list(models), "user_agent": "x"}
    return {"BACKEND": OPENAI, "OPTIONS": options}


def test_provider_is_made_once():
    with override_settings(CHAT_PROVIDERS={"demo": DEMO}):
        assert providers["demo"] is providers["demo"]
        assert providers["demo"].alias == "demo"


def test_unknown_alias_is_a_key_error():
    with override_settings(CHAT_PROVIDERS={}), pytest.raises(KeyError):
        providers["demo"]


def test_backend_that_cannot_be_imported_is_named():
    with (
        override_settings(CHAT_PROVIDERS={"odd": {"BACKEND": "no.such.Thing"}}),
        pytest.raises(ImproperlyConfigured, match="odd"),
    ):
        providers["odd"]


def test_changed_settings_make_new_providers():
    with override_settings(CHAT_PROVIDERS={"demo": DEMO}):
        before = providers["demo"]
        assert [model.id for model in providers.models()] == ["demo"]
    with override_settings(CHAT_PROVIDERS={"demo": DEMO, "u": upstream("m")}):
        assert providers["demo"] is not before
        assert [model.id for model in providers.models()] == ["demo", "m"]


def test_models_come_in_the_order_of_the_settings():
    with override_settings(CHAT_PROVIDERS={"u": upstream("b", "a"), "demo": DEMO}):
        assert [model.id for model in providers.models()] == ["b", "a", "demo"]
        assert list(providers) == ["u", "demo"]


def test_second_model_of_an_id_is_told_apart_by_its_alias():
    with override_settings(CHAT_PROVIDERS={"u": upstream("m"), "v": upstream("m"), "demo": DEMO}):
        assert [model.id for model in providers.models()] == ["m", "v/m", "demo"]
        second = providers.model("v/m")
        assert (second.provider, second.upstream_name) == ("v", "m")


def test_unknown_model_is_a_key_error():
    with override_settings(CHAT_PROVIDERS={"demo": DEMO}), pytest.raises(KeyError):
        providers.model("m")


class Closing(BaseProvider):
    """Remembers that it was closed; fails if told to."""

    closed: list[str] = []

    def models(self):
        return [Model(id=self.alias, name="x", provider=self.alias, upstream_name="x")]

    def stream(self, prompt):
        raise NotImplementedError

    async def aclose(self):
        self.closed.append(self.alias)
        if self.options.get("fails"):
            raise OSError("closing failed")


def test_closing_reaches_every_provider_that_was_made():
    backend = f"{__name__}.Closing"
    Closing.closed.clear()
    chosen = {
        "a": {"BACKEND": backend, "OPTIONS": {"fails": True}},
        "b": {"BACKEND": backend},
        "never": {"BACKEND": backend},
    }
    with override_settings(CHAT_PROVIDERS=chosen):
        made = [providers["a"], providers["b"]]
        with pytest.raises(OSError, match="closing failed"):
            asyncio.run(providers.aclose())
        assert Closing.closed == ["a", "b"]
        assert providers["a"] is not made[0]
