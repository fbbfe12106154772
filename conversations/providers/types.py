"""Values that go to a provider: no identity, no I/O."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptMessage:
    """One message as a model sees it."""

    role: Literal["system", "user", "assistant"]
    content: str
    images: tuple[str, ...] = ()
    """As data URLs, for a model that sees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What a provider is asked."""

    model: str
    """The model's name as the upstream knows it."""
    messages: tuple[PromptMessage, ...]
    """In order. Where the last one is an assistant message, it is to be continued."""
    temperature: float | None = None
    """None leaves it to the upstream."""
    max_output_tokens: int | None = None
    """None leaves it to the upstream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One model that a person can choose."""

    id: str
    """How the API names it; unique over all providers."""
    name: str
    """How people read it."""
    provider: str
    """Alias of its provider in `CHAT_PROVIDERS`."""
    upstream_name: str
    """How the upstream names it; goes to `Prompt.model`."""
    context_tokens: int = 8192
    """Room for prompt and reply together."""
    continues: bool = False
    """Whether the upstream goes on from a prompt that ends with an assistant message."""
    reasons: bool = False
    """Whether the model may send reasoning."""
    sees: bool = False
    """Whether images may be part of a message."""
    system_prompt: str = ""
    """What an operator tells it, for conversations that have no prompt of their own."""
