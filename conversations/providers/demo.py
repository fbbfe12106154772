"""The demo provider: instant, offline, no model; Markdown worth reading."""

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from django.core.checks import CheckMessage, Error

from conversations.providers.base import BaseProvider
from conversations.providers.types import Model, Prompt
from streaming.source import Finish, Item, Reasoning, Source, Text, Usage

_TOKENS_PER_SECOND = 60.0
_TOPIC_CHARACTERS = 120
_TOKEN = re.compile(r"\s*\S+|\s+")
_ASKS_TO_REASON = re.compile(r"\b(think|reason|step by step)", re.IGNORECASE)

_REASONING = """\
The question is: {topic}. There is no language model behind this demo, so nothing here is \
worked out. What can be shown is the form: first this reasoning, in a part of its own, then the \
reply with its own cursor. A reader that comes back in the middle of either goes on exactly there.
"""

_REPLY = """\
## A demo reply

You asked:

> {topic}

This is the **demo provider**. No model has read your question; the text below is always the \
same. It is here so that you can watch a reply arrive, and try to lose it.

### What to try

1. Reload the page while this is still being written.
2. Close the tab, wait a moment, and open the conversation again.
3. Stop the server in the middle of a sentence and start it anew.
   - What you had seen is still there.
   - Nothing appears twice.

### Follow it yourself

A reply has one address for its whole life. Each event carries the place it ends at, and you go \
on from there:

```python
import httpx

def follow(run_id: str, after: str = "0-0") -> None:
    url = f"http://127.0.0.1:8000/api/runs/{{run_id}}/events"
    with httpx.stream("GET", url, params={{"after": after}}, timeout=None) as events:
        for line in events.iter_lines():
            print(line)
```

### How a reply can end

| outcome | who ended it | what is kept |
| --- | --- | --- |
| completed | the model | everything |
| stopped | you | what was written by then |
| interrupted | a shutdown, or a lost process | what anybody had seen |
| failed | the upstream | what had arrived |

The usage shown under this reply counts *words*, because a demo has no tokenizer. For real answers \
choose another model in the picker, or point `OPENAI_BASE_URL` at one.
"""


class DemoProvider(BaseProvider):
    """Says one text, paced like a model.

    OPTIONS["tokens_per_second"]: words per second, 60 by default; 0 does not pace.
    """

    def models(self) -> Sequence[Model]:
        """List the one model."""
        return [
            Model(
                id="demo",
                name="Demo (fixed text, no model)",
                provider=self.alias,
                upstream_name="demo",
                continues=True,
                reasons=True,
            )
        ]

    def check(self) -> list[CheckMessage]:
        """Refuse a pace below 0."""
        if self._tokens_per_second() >= 0:
            return []
        return [
            Error(
                f"CHAT_PROVIDERS[{self.alias!r}]: tokens_per_second is below 0.",
                hint="0 switches the pacing off.",
                id="holdfast_conversations.E010",
            )
        ]

    async def stream(self, prompt: Prompt) -> Source:
        """Say the reply, or what is left of it; usage counts words."""
        asked = next((m.content for m in reversed(prompt.messages) if m.role == "user"), "")
        last = prompt.messages[-1]
        said = last.content if last.role == "assistant" else ""
        limit = prompt.max_output_tokens
        words = 0
        async with aclosing(self._say(asked, said)) as items:
            async for item in items:
                if limit is not None and words >= limit:
                    break
                words += 1
                yield item
            else:
                limit = None
        yield Usage(sum(len(m.content.split()) for m in prompt.messages), words)
        yield Finish("stop" if limit is None else "length")

    async def _say(self, asked: str, said: str) -> AsyncGenerator[Item, None]:
        rate = self._tokens_per_second()
        topic = _topic(asked)
        if _ASKS_TO_REASON.search(asked) and not said:
            for token in _TOKEN.findall(_REASONING.format(topic=topic)):
                yield Reasoning(token)
                await asyncio.sleep(1 / rate if rate else 0)
        for token in _TOKEN.findall(_rest(_REPLY.format(topic=topic), said)):
            yield Text(token)
            await asyncio.sleep(1 / rate if rate else 0)

    def _tokens_per_second(self) -> float:
        return float(self.options.get("tokens_per_second", _TOKENS_PER_SECOND))


def _topic(asked: str) -> str:
    line = " ".join(asked.split()) or "(nothing)"
    if len(line) <= _TOPIC_CHARACTERS:
        return line
    return line[: _TOPIC_CHARACTERS - 1].rstrip() + "…"


def _rest(reply: str, said: str) -> str:
    if reply.startswith(said):
        return reply[len(said) :]
    return f"\n\n{reply}"  # another model began; nothing of this text was said yet
