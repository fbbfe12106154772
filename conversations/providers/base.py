"""The contract of a provider: one abstract method, flags, a check."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from django.core.checks import CheckMessage

from conversations.providers.types import Model, Prompt
from streaming.source import Source


class BaseProvider(ABC):
    """A backend that turns a prompt into a source.

    One instance per process and alias, made at the first use (never at import), from
    `CHAT_PROVIDERS[alias]["OPTIONS"]`.
    """

    def __init__(self, alias: str, options: Mapping[str, Any]) -> None:
        self.alias = alias
        self.options = options

    @abstractmethod
    def stream(self, prompt: Prompt) -> Source:
        """Turn a prompt into a source.

        Yields:
            Text, Reasoning, Usage, Progress in any order; `Finish` last.
        Raises:
            SourceFailed: with a reason of `streaming.outcome.FAILED_REASONS`.
        Cancellation:
            the upstream connection is closed; nothing else is held.
        """

    @abstractmethod
    def models(self) -> Sequence[Model]:
        """List the models to choose from, the default first. No I/O."""

    async def aclose(self) -> None:
        """Give back connections; called once, at the end of the process."""

    def check(self) -> list[CheckMessage]:
        """Report misconfiguration, with a hint; no network."""
        return []
