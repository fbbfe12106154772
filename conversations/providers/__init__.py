"""The providers named in `settings.CHAT_PROVIDERS`, by alias; the models they offer, by id."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from conversations.conf import chat_providers
from conversations.providers.base import BaseProvider
from conversations.providers.types import Model


class ProviderHandler:
    """Makes each provider at its first use and keeps it for the life of the process."""

    def __init__(self) -> None:
        self._made: dict[str, BaseProvider] = {}
        self._models: dict[str, Model] | None = None
        self._lock = threading.RLock()

    def __getitem__(self, alias: str) -> BaseProvider:
        """Return the provider of an alias.

        Raises:
            KeyError: `CHAT_PROVIDERS` has no such alias.
            ImproperlyConfigured: its BACKEND cannot be imported.
        """
        with self._lock:
            if alias not in self._made:
                self._made[alias] = _make(alias, chat_providers()[alias])
            return self._made[alias]

    def __iter__(self) -> Iterator[str]:
        return iter(chat_providers())

    def models(self) -> list[Model]:
        """List the models of all providers in the order of the settings; the first is default."""
        return list(self._offered().values())

    def model(self, model_id: str) -> Model:
        """Return the model with this id.

        Raises:
            KeyError: no provider offers it.
        """
        return self._offered()[model_id]

    async def aclose(self) -> None:
        """Close every provider that was made, then raise the first error of one, if any."""
        with self._lock:
            made = list(self._made.values())
            self.forget()
        closing = (provider.aclose() for provider in made)
        for failed in await asyncio.gather(*closing, return_exceptions=True):
            if failed is not None:
                raise failed

    def forget(self) -> None:
        """Read the settings anew at the next use."""
        with self._lock:
            self._made = {}
            self._models = None

    def _offered(self) -> dict[str, Model]:
        with self._lock:
            if self._models is None:
                self._models = {}
                for alias in self:
                    for model in self[alias].models():
                        free = model.id not in self._models
                        unique = model if free else replace(model, id=f"{alias}/{model.id}")
                        self._models[unique.id] = unique
            return self._models


def _make(alias: str, params: dict[str, Any]) -> BaseProvider:
    try:
        backend = import_string(params["BACKEND"])
    except (ImportError, KeyError) as error:
        raise ImproperlyConfigured(f"CHAT_PROVIDERS[{alias!r}]: no such BACKEND.") from error
    provider: BaseProvider = backend(alias, params.get("OPTIONS", {}))
    return provider


providers = ProviderHandler()


def _forget(*, setting: str, **kwargs: Any) -> None:
    if setting == "CHAT_PROVIDERS":
        providers.forget()


setting_changed.connect(_forget)
