"""Sample conversations, built in memory from dialogs: the same seed gives the same ones."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

from conversations.management.dialogs import DIALOGS, Dialog, Turn
from conversations.models import Conversation, Message
from streaming.outcome import (
    COMPLETED_REASONS,
    FAILED_REASONS,
    INTERRUPTED_REASONS,
    Outcome,
    completed,
    failed,
    interrupted,
    stopped,
)
from streaming.transcript import StoredPart

DAYS = 60
_LONG_EVERY = 20
"""One message in so many belongs to one long conversation, where that makes it long at all."""
_LONG_FROM = 500
_MOST_TURNS = 12
_MARK = 0x73616D70
"""The last 32 bits of every sample's id: how they are found again."""
_MODELS = (
    ("local", "SmolLM2-135M-Instruct", 60),
    ("demo", "demo", 200),
    ("openai", "gpt-4o-mini", 90),
    ("openai", "llama-3.1-8b-instruct", 45),
)


class Sample(NamedTuple):
    """A conversation with its messages, parents first."""

    conversation: Conversation
    messages: list[Message]


def is_sample(conversation_id: UUID) -> bool:
    """Say whether an id is one of ours."""
    return conversation_id.int & 0xFFFFFFFF == _MARK


def samples(owner_ids: list[Any], *, messages: int, seed: int, until: datetime) -> Iterator[Sample]:
    """Build conversations with so many messages in all, one at a time.

    Args:
        owner_ids: their owners, in turn.
        until: the end of the time over which they are spread.
    """
    random = Random(seed)
    left = messages
    number = 0
    while left > 0:
        first_of_many = number == 0 and messages // _LONG_EVERY >= _LONG_FROM
        most = messages // _LONG_EVERY if first_of_many else left
        began = until - timedelta(seconds=random.uniform(0, DAYS * 86_400))
        dialog = DIALOGS[number] if number < len(DIALOGS) else random.choice(DIALOGS)
        builder = _Builder(random, owner_ids[number % len(owner_ids)], dialog, began)
        sample = builder.build(min(most, left), endless=first_of_many)
        yield sample
        left -= len(sample.messages)
        number += 1


class _Builder:
    """Writes one conversation, message after message."""

    def __init__(self, random: Random, owner_id: Any, dialog: Dialog, began: datetime) -> None:
        self.random = random
        self.dialog = dialog
        self.clock = began
        self.latest = began
        self.provider, self.model, self.tokens_per_second = random.choice(_MODELS)
        self.conversation = Conversation(
            id=self._id(),
            owner_id=owner_id,
            title=dialog.title,
            model=self.model,
            system_prompt="Answer briefly." if random.random() < 0.1 else "",
            settings={"temperature": 0.2} if random.random() < 0.2 else {},
            pinned=random.random() < 0.04,
            archived=random.random() < 0.05,
            created_at=began,
        )
        self.messages: list[Message] = []

    def build(self, most: int, *, endless: bool) -> Sample:
        last: Message | None = None
        for turn in self._turns(endless=endless):
            if len(self.messages) + 2 > most:
                break
            last = self._exchange(turn, last, room=most - len(self.messages) - 2)
        if last is None:  # room for a question only
            last = self._ask(self.dialog.turns[0].question, None)
        self.conversation.head_id = last.id
        self.conversation.updated_at = self.latest
        return Sample(self.conversation, self.messages)

    def _turns(self, *, endless: bool) -> Iterator[Turn]:
        yield from self.dialog.turns
        turns = self.random.choice((0, 0, 1, 2, 4, _MOST_TURNS))
        while endless or turns > 0:
            yield self.random.choice(self.random.choice(DIALOGS).turns)
            turns -= 1

    def _exchange(self, turn: Turn, parent: Message | None, *, room: int) -> Message:
        """Ask and answer; sometimes twice, and sometimes asked in other words first."""
        if turn.other and room >= 2 and self.random.random() < 0.15:
            before = self._ask(turn.question.rstrip("?.!") + ", in short?", parent)
            self._answer(before, turn._replace(answer=turn.other, reasoning=""))
            room -= 2
        question = self._ask(turn.question, parent)
        if turn.other and room >= 1 and self.random.random() < 0.3:
            self._answer(question, turn._replace(answer=turn.other, reasoning=""))
        return self._answer(question, turn)

    def _ask(self, content: str, parent: Message | None) -> Message:
        self.clock += timedelta(seconds=self.random.uniform(4, 90))
        question = self._message(Message.Role.USER, parent)
        question.settled_at = self.clock
        question.take_parts([StoredPart("text", content)])
        return question

    def _answer(self, question: Message, turn: Turn) -> Message:
        outcome = _outcome(self.random)
        text, reasoning = turn.answer, turn.reasoning
        if outcome.status != "completed" or outcome.reason == "length":
            text = text[: int(len(text) * self.random.uniform(0.1, 0.8))]
        if outcome.status == "failed" and self.random.random() < 0.6:
            text = reasoning = ""
        reply = self._message(Message.Role.ASSISTANT, question)
        parts = [StoredPart("reasoning", reasoning)] if reasoning else []
        reply.take_parts([*parts, StoredPart("text", text)] if text else parts)
        self._measure(reply, outcome, len(text) + len(reasoning))
        return reply

    def _measure(self, reply: Message, outcome: Outcome, characters: int) -> None:
        tokens = characters // 4
        first = self.random.randint(80, 900)
        reply.provider, reply.model = self.provider, self.model
        reply.status, reply.reason = outcome.status, outcome.reason
        reply.retryable = outcome.retryable
        reply.duration_ms = first + round(tokens * 1000 / self.tokens_per_second)
        if tokens:
            reply.first_token_ms = first
        if outcome.status == "completed":
            reply.input_tokens = 12 + 40 * min(len(self.messages), 90)
            reply.output_tokens = max(tokens, 1)
        self.clock += timedelta(milliseconds=reply.duration_ms)
        reply.settled_at = self.latest = self.clock

    def _message(self, role: Message.Role, parent: Message | None) -> Message:
        message = Message(
            id=self._id(),
            conversation=self.conversation,
            parent=parent,
            role=role,
            created_at=self.clock,
        )
        self.messages.append(message)
        return message

    def _id(self) -> UUID:
        """Make a UUID of version 7 whose last bits say that it is a sample."""
        milliseconds = int(self.clock.timestamp() * 1000)
        bits = milliseconds << 80 | 7 << 76 | self.random.getrandbits(12) << 64
        return UUID(int=bits | 2 << 62 | self.random.getrandbits(30) << 32 | _MARK)


def _outcome(random: Random) -> Outcome:
    kind = random.random()
    if kind < 0.82:
        return completed("stop" if random.random() < 0.95 else random.choice(COMPLETED_REASONS[:3]))
    if kind < 0.89:
        return stopped()
    if kind < 0.94:
        return interrupted(random.choice(INTERRUPTED_REASONS))
    return failed(random.choice(sorted(FAILED_REASONS)))
