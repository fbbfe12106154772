"""The visible branch of a conversation, which is a tree. Pure."""

from collections.abc import Hashable, Mapping
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)


def branch_to(head: Key | None, parents: Mapping[Key, Key | None]) -> list[Key]:
    """Return the messages from the first one to the head.

    Args:
        head: the last message of the branch; where it is unknown, the newest counts.
        parents: each message's parent, in the order of their creation.
    """
    at = head if head in parents else next(iter(reversed([*parents])), None)
    branch: dict[Key, None] = {}
    while at is not None and at in parents and at not in branch:
        branch[at] = None
        at = parents[at]
    return list(reversed(branch))
