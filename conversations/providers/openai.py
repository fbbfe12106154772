"""Any upstream that speaks OpenAI's chat completions."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.core.checks import CheckMessage, Error, Warning

from conversations import conf
from conversations.providers.base import BaseProvider
from conversations.providers.chat_client import ChatClient, Endpoint
from conversations.providers.types import Model, Prompt, PromptMessage
from streaming.source import Source

_CONTEXT_TOKENS = 8192


class OpenAIProvider(BaseProvider):
    """Chat completions over HTTP.

    OPTIONS: `base_url` up to `/v1`; `api_key`; `models`, names as the upstream knows them, the
    default first; `vision_models`, those of them that see images; `context_tokens` (8192);
    `continuing_models`, those of them with which the upstream goes on from an assistant message,
    or `continues` (False) for all;
    `max_tokens_parameter` (`max_tokens`; newer OpenAI models want `max_completion_tokens`);
    `extra_body`, more fields for each request; `connect_seconds` (10); `max_connections` (2000);
    `max_event_bytes` (1 MiB); `user_agent`.
    """

    def __init__(self, alias: str, options: Mapping[str, Any]) -> None:
        super().__init__(alias, options)
        self._client = client_of(options)

    def models(self) -> Sequence[Model]:
        """List the models named in OPTIONS["models"]."""
        return [
            Model(
                id=name,
                name=name,
                provider=self.alias,
                upstream_name=name,
                context_tokens=self.options.get("context_tokens", _CONTEXT_TOKENS),
                continues=self.options.get("continues", False)
                or name in self.options.get("continuing_models", ()),
                reasons=True,
                sees=name in self.options.get("vision_models", ()),
            )
            for name in self.options.get("models", ())
        ]

    def check(self) -> list[CheckMessage]:
        """Refuse an address that cannot be asked; warn where a key crosses the network in clear."""
        parts = urlsplit(self.options.get("base_url", ""))
        found: list[CheckMessage] = []
        if parts.scheme not in ("http", "https") or not parts.hostname:
            found.append(
                Error(
                    f"CHAT_PROVIDERS[{self.alias!r}]: base_url is not an http or https address.",
                    hint="Set OPENAI_BASE_URL, e.g. https://api.example.com/v1.",
                    id="holdfast_conversations.E020",
                )
            )
        elif parts.username or parts.password or parts.query or parts.fragment:
            found.append(
                Error(
                    f"CHAT_PROVIDERS[{self.alias!r}]: base_url holds more than an address.",
                    hint="Put the key into OPENAI_API_KEY or OPENAI_API_KEY_FILE.",
                    id="holdfast_conversations.E021",
                )
            )
        if not self.options.get("models"):
            found.append(
                Error(
                    f"CHAT_PROVIDERS[{self.alias!r}] offers no model.",
                    hint="Set OPENAI_MODELS to the upstream's names, separated by commas.",
                    id="holdfast_conversations.E022",
                )
            )
        key = self.options.get("api_key", "")
        if not (key.isascii() and key.isprintable()) or " " in key:
            found.append(
                Error(
                    f"CHAT_PROVIDERS[{self.alias!r}]: api_key has a character no header takes.",
                    hint="Check OPENAI_API_KEY for quotes, spaces and line ends.",
                    id="holdfast_conversations.E023",
                )
            )
        if key and parts.scheme == "http" and not _is_loopback(parts.hostname):
            found.append(
                Warning(
                    f"CHAT_PROVIDERS[{self.alias!r}] sends its key without encryption.",
                    hint="Use https, or an upstream on this host.",
                    id="holdfast_conversations.W020",
                )
            )
        return found

    def stream(self, prompt: Prompt) -> Source:
        """Ask the upstream."""
        body = body_of(
            prompt,
            max_tokens_parameter=self.options.get("max_tokens_parameter", "max_tokens"),
        )
        endpoint = Endpoint(
            url=f"{self.options['base_url'].rstrip('/')}/chat/completions",
            api_key=self.options.get("api_key", ""),
        )
        return self._client.stream(endpoint, body | self.options.get("extra_body", {}))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def client_of(options: Mapping[str, Any]) -> ChatClient:
    """Make the client that OPTIONS describe."""
    given = {
        key: options[key]
        for key in ("connect_seconds", "max_connections", "max_event_bytes")
        if key in options
    }
    agent = options.get("user_agent") or conf.user_agent()
    return ChatClient(user_agent=str(agent), **given)


def body_of(prompt: Prompt, *, max_tokens_parameter: str = "max_tokens") -> dict[str, Any]:
    """Write a prompt as the body of a request."""
    body: dict[str, Any] = {
        "model": prompt.model,
        "messages": [{"role": m.role, "content": _content_of(m)} for m in prompt.messages],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if prompt.temperature is not None:
        body["temperature"] = prompt.temperature
    if prompt.max_output_tokens is not None:
        body[max_tokens_parameter] = prompt.max_output_tokens
    return body


def _content_of(message: PromptMessage) -> str | list[dict[str, Any]]:
    if not message.images:
        return message.content
    images = [{"type": "image_url", "image_url": {"url": url}} for url in message.images]
    return [{"type": "text", "text": message.content}, *images] if message.content else images


def _is_loopback(host: str | None) -> bool:
    return host in ("localhost", "127.0.0.1", "::1")
