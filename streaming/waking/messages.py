"""What workers say to each other; addresses to say it to."""

from typing import Annotated, Any
from uuid import UUID

import msgspec

MOST_RUNS = 150
"""Runs in one message: NOTIFY takes less than 8000 bytes."""

_Runs = Annotated[list[UUID], msgspec.Meta(max_length=MOST_RUNS)]

EVERYBODY = "all"
"""The address of all workers."""


class Probe(msgspec.Struct, frozen=True, tag="probe", array_like=True):
    """A worker says it to itself, to learn whether what is said arrives."""

    token: str


class Follow(msgspec.Struct, frozen=True, tag="follow", array_like=True):
    """To the worker that produces these runs: somebody reads them here; said again and again."""

    follower: UUID
    runs: _Runs


class News(msgspec.Struct, frozen=True, tag="news", array_like=True):
    """To a follower: there is more text of these runs, or their end; none: we have heard you."""

    owner: UUID
    runs: _Runs


class Stop(msgspec.Struct, frozen=True, tag="stop", array_like=True):
    """To the worker that produces these runs: a person wants them to end, look at once."""

    runs: _Runs


class Notice(msgspec.Struct, frozen=True, tag="notice", array_like=True):
    """To all workers, about what a project likes to tell; `topic` says who takes it."""

    sender: UUID
    topic: str
    about: Any


Message = Probe | Follow | News | Stop | Notice

_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)


class Garbled(Exception):
    """It is no message of ours, or of another version of ours."""


def encode(message: Message) -> str:
    """Write a message as one text."""
    return msgspec.json.encode(message).decode()


def decode(text: str) -> Message:
    """Read a message.

    Raises:
        Garbled
    """
    try:
        found: Message = _decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Garbled(str(error)) from None
    return found


def chunks(runs: list[UUID]) -> list[list[UUID]]:
    """Cut a list of runs so that each piece fits a message; an empty list is one piece."""
    return [runs[at : at + MOST_RUNS] for at in range(0, len(runs), MOST_RUNS)] or [[]]
