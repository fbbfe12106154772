"""From a conversation to what a model is asked, within its room for tokens. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Literal, cast

from conversations.attachments.enclosures import IMAGE_TOKENS, Enclosed, Enclosure, enclose
from conversations.providers.types import Model, Prompt, PromptMessage
from conversations.tokens import estimate_tokens

MESSAGE_TOKENS = 8
"""What a message costs beside its text: role and marks of the chat template."""

CONTINUE = (
    "Your last message was cut off. Go on from exactly where it stopped, in the middle of the "
    "sentence if need be. Do not repeat any of it and do not comment on this."
)
"""Asked where the upstream cannot go on from an assistant message by itself."""

_REPLY_SHARE = 4  # a quarter of the context is kept for the reply where nobody says how long
_REPLY_TOKENS = 4096
_FILES_SHARE = 2
_NOTHING = Enclosed()

Turn = list[PromptMessage]


def build(
    history: Iterable[tuple[str, str]],
    *,
    model: Model,
    enclosed: Mapping[int, Sequence[Enclosure]] | None = None,
    system_prompt: str = "",
    continued: str | None = None,
    temperature: float | None = None,
    max_output_tokens: int | None = None,
) -> Prompt:
    """Turn the branch of a conversation into a prompt that fits the model.

    The oldest turns are left out first, whole. The system prompt, the last question and the text
    to be continued always stay, even where they alone exceed the room: then the upstream refuses,
    which says more than a silently cut question.

    Args:
        history: pairs of role and text from the root to the last question.
        enclosed: files of messages, by their places in the history. Together they get at most half
            of the room, so that what was read is still there some questions later.
        continued: text of the reply to go on from; empty or None asks anew.
    """
    said = list(history)
    head = [_message("system", system_prompt)] if system_prompt else []
    head += [_message(role, text) for role, text in said if role == "system" and text]
    room = model.context_tokens - _reply_room(model, max_output_tokens) - _cost(head)
    files = enclose(enclosed or {}, room_tokens=room // _FILES_SHARE, sees=model.sees)
    turns = _turns(
        _message(role, text, files.get(place, _NOTHING))
        for place, (role, text) in enumerate(said)
        if role != "system" and (text or place in files)
    )
    if continued:
        turns[-1:] = [(turns[-1] if turns else []) + _continuation(continued, model)]
    return Prompt(
        model=model.upstream_name,
        messages=tuple(_joined(head + _newest(turns, room))),
        temperature=temperature,
        max_output_tokens=max_output_tokens,
    )


def _message(role: str, text: str, files: Enclosed = _NOTHING) -> PromptMessage:
    assert role in ("system", "user", "assistant")
    return PromptMessage(
        role=cast("Literal['system', 'user', 'assistant']", role),
        content=_spaced(text, files.text),
        images=files.images,
    )


def _spaced(*texts: str) -> str:
    return "\n\n".join(text for text in texts if text)


def _turns(messages: Iterable[PromptMessage]) -> list[Turn]:
    """Cut before each question."""
    turns: list[Turn] = []
    for message in messages:
        if message.role == "user" or not turns:
            turns.append([])
        turns[-1].append(message)
    return turns


def _continuation(text: str, model: Model) -> Turn:
    reply = _message("assistant", text)
    return [reply] if model.continues else [reply, _message("user", CONTINUE)]


def _reply_room(model: Model, max_output_tokens: int | None) -> int:
    share = model.context_tokens // _REPLY_SHARE
    return min(max_output_tokens or _REPLY_TOKENS, 2 * share if max_output_tokens else share)


def _cost(messages: Iterable[PromptMessage]) -> int:
    return sum(
        MESSAGE_TOKENS + estimate_tokens(message.content) + IMAGE_TOKENS * len(message.images)
        for message in messages
    )


def _newest(turns: Sequence[Turn], room: int) -> list[PromptMessage]:
    """Keep the last turn and as many before it as there is room for, without a gap."""
    kept: list[Turn] = []
    for turn in reversed(turns):
        room -= _cost(turn)
        if kept and room < 0:
            break
        kept.insert(0, turn)
    return list(chain.from_iterable(kept))


def _joined(messages: Iterable[PromptMessage]) -> list[PromptMessage]:
    """Join messages of one role in a row: many chat templates insist on alternation.

    A question whose reply failed before its first word leaves two questions in a row.
    """
    joined: list[PromptMessage] = []
    for message in messages:
        if joined and joined[-1].role == message.role:
            before = joined.pop()
            files = Enclosed(images=before.images + message.images)
            message = _message(message.role, _spaced(before.content, message.content), files)
        joined.append(message)
    return joined
