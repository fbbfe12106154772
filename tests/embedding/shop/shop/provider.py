import json
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from conversations.providers.base import BaseProvider
from conversations.providers.types import Model, Prompt
from streaming.source import Finish, Source, SourceFailed, Text


class ShopProvider(BaseProvider):
    """The shop's model server: it is asked in JSON and answers a line of JSON for each word."""

    def __init__(self, alias: str, options: Mapping[str, Any]) -> None:
        super().__init__(alias, options)
        limits = httpx.Limits(max_connections=None)  # times and numbers are limited by STREAMING
        self.client = httpx.AsyncClient(timeout=None, limits=limits)

    def models(self) -> Sequence[Model]:
        return [Model(id="clerk", name="Clerk", provider=self.alias, upstream_name="clerk-1")]

    async def stream(self, prompt: Prompt) -> Source:
        asked = [{"role": one.role, "content": one.content} for one in prompt.messages]
        body = {"model": prompt.model, "messages": asked}
        try:
            async with self.client.stream("POST", self.options["url"], json=body) as answer:
                async for line in answer.raise_for_status().aiter_lines():
                    yield Text(json.loads(line)["word"])
        except httpx.HTTPError as error:
            raise SourceFailed("upstream_error") from error
        except (ValueError, KeyError) as error:
            raise SourceFailed("upstream_bad_data") from error
        yield Finish()

    async def aclose(self) -> None:
        await self.client.aclose()
