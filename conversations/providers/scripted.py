"""A provider that plays its question as a script: failures and gates for tests."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

from django.core.checks import CheckMessage, Warning

from conversations.providers.base import BaseProvider
from conversations.providers.types import Model, Prompt
from streaming.source import (
    Finish,
    Item,
    Progress,
    Reasoning,
    Source,
    SourceFailed,
    Text,
    Usage,
)

_GATE_POLL_SECONDS = 0.005
_ECHO_CHARACTERS = 5
_ENDS = ("fail", "raise", "stall", "finish", "end")


class ScriptedProvider(BaseProvider):
    """Plays the last user message: a JSON list of steps, or `{"steps": [...]}`.

    `{"text": "x", "repeat": 3, "pause_ms": 5}` says a text, often, with a pause after each time;
    `"piece": 20` says it in pieces of so many characters; `reasoning` instead of `text` thinks it.
    `{"pause_ms": 5}` waits. `{"gate": "name"}` waits for
    that file in OPTIONS["gate_directory"]. `{"usage": [3, 5]}`, `{"progress": true}`,
    `{"finish": "stop"}` yield these items. `{"fail": "upstream_reset"}` raises `SourceFailed`,
    `{"raise": "text"}` a RuntimeError, `{"stall": true}` never returns, `{"end": true}` ends
    without a finish. A script that runs out finishes with `stop`.

    A message that is no script is said back in small pieces. A prompt that ends with an assistant
    message goes on behind that many code points of text; the step that ended the first attempt
    there is passed over.
    """

    def models(self) -> Sequence[Model]:
        """List the one model."""
        return [
            Model(
                id="scripted",
                name="Scripted (for tests)",
                provider=self.alias,
                upstream_name="scripted",
                context_tokens=1_000_000,
                continues=True,
                reasons=True,
            )
        ]

    def check(self) -> list[CheckMessage]:
        """Warn where gates could never open."""
        directory = self.options.get("gate_directory")
        if directory and Path(directory).is_dir():
            return []
        return [
            Warning(
                f"CHAT_PROVIDERS[{self.alias!r}] has no directory of gates.",
                hint="Set CHAT_SCRIPTED_GATES to an existing directory, or CHAT_SCRIPTED to 0.",
                id="holdfast_conversations.W010",
            )
        ]

    async def stream(self, prompt: Prompt) -> Source:
        """Play the script."""
        last = prompt.messages[-1]
        skip = len(last.content) if last.role == "assistant" else 0
        asked = next((m.content for m in reversed(prompt.messages) if m.role == "user"), "")
        async with aclosing(self._play(_steps(asked), skip)) as items:
            async for item in items:
                yield item

    async def _play(self, steps: list[dict[str, Any]], skip: int) -> AsyncGenerator[Item, None]:
        behind = continuing = skip > 0
        for step in steps:
            if continuing and not behind and _is_end(step):
                continue
            texts = step.get("text", step.get("reasoning"))
            if texts is None:
                if not behind or "gate" in step:
                    async with aclosing(self._act(step)) as items:
                        async for item in items:
                            yield item
                            if isinstance(item, Finish):
                                return
                if "end" in step:
                    return
                continue
            for said in _cut(texts, step.get("piece")) * step.get("repeat", 1):
                if behind:
                    if "reasoning" in step:
                        break
                    passed = min(skip, len(said))
                    skip -= passed
                    behind = skip > 0
                    if passed == len(said):
                        continue
                    yield Text(said[passed:])
                else:
                    yield Text(said) if "text" in step else Reasoning(said)
                continuing = False
                await _pause(step)
        yield Finish("stop")

    async def _act(self, step: dict[str, Any]) -> AsyncGenerator[Item, None]:
        match step:
            case {"gate": name}:
                gate = Path(self.options["gate_directory"]) / Path(name).name
                while not gate.exists():  # noqa: ASYNC110  opened by another process
                    await asyncio.sleep(_GATE_POLL_SECONDS)
            case {"usage": [given, said]}:
                yield Usage(given, said)
            case {"progress": _}:
                yield Progress()
            case {"stall": _}:
                await asyncio.Event().wait()
            case {"fail": reason}:
                raise SourceFailed(reason, detail="scripted")
            case {"raise": text}:
                raise RuntimeError(text)
            case {"finish": reason}:
                yield Finish(reason)
            case {"end": _}:
                return
            case _:
                await _pause(step)


def _steps(asked: str) -> list[dict[str, Any]]:
    try:
        found = json.loads(asked)
    except ValueError:
        found = None
    if isinstance(found, dict):
        found = found.get("steps")
    if isinstance(found, list) and all(isinstance(step, dict) for step in found):
        return found
    return [{"text": asked, "piece": _ECHO_CHARACTERS}]


def _cut(text: str, size: int | None) -> list[str]:
    if size is None:
        return [text]
    return [text[at : at + size] for at in range(0, len(text), size)]


def _is_end(step: dict[str, Any]) -> bool:
    return any(name in step for name in _ENDS)


async def _pause(step: dict[str, Any]) -> None:
    # Even without a pause every step suspends: a script must not starve the readers.
    await asyncio.sleep(step.get("pause_ms", 0) / 1000)
