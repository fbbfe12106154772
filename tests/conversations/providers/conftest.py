"""What the tests of the providers share: a prompt, and reading a source to its end."""

from contextlib import aclosing
from dataclasses import dataclass, field

import pytest_asyncio

from conversations.providers.types import Prompt, PromptMessage
from streaming.source import Item, Reasoning, SourceFailed, Text
from tests.upstream import FakeUpstream


@dataclass
class Read:
    """A source, read to its end or failure."""

    items: list[Item] = field(default_factory=list)
    failure: SourceFailed | None = None

    @property
    def text(self) -> str:
        return "".join(item.text for item in self.items if isinstance(item, Text))

    @property
    def reasoning(self) -> str:
        return "".join(item.text for item in self.items if isinstance(item, Reasoning))

    @property
    def reason(self) -> str:
        """Reason of the failure, or of the finish with `completed:` before it."""
        return self.failure.reason if self.failure else f"completed:{self.items[-1].reason}"


def ask(question, *, model="any", said=None, **options) -> Prompt:
    messages = [PromptMessage(role="user", content=question)]
    if said is not None:
        messages.append(PromptMessage(role="assistant", content=said))
    return Prompt(model=model, messages=tuple(messages), **options)


async def read(source) -> Read:
    found = Read()
    async with aclosing(source) as items:
        try:
            async for item in items:
                found.items.append(item)
        except SourceFailed as failure:
            found.failure = failure
    return found


@pytest_asyncio.fixture
async def upstream():
    async with FakeUpstream() as upstream:
        yield upstream
