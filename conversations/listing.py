"""What a person's conversations are listed by: pages of them, newest first, all or found."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from conversations import searching
from conversations.conversing import revision
from conversations.exceptions import InvalidField
from conversations.models import Conversation
from conversations.shapes import conversation_shape

_PAGE = 30
_PINNED_PAGE = 100


def page(
    user: Any, *, search: str, before: str, archived: bool | None, pinned: bool | None
) -> dict[str, Any]:
    """List conversations, newest first; stable on (updated_at, id).

    Args:
        archived: whether those; None lists what is not archived, but searches through all.
        pinned: whether those; None lists both.
    """
    words = searching.words_of(search)
    at = revision(user.pk)
    mine = Conversation.objects.of(user.pk)
    if archived is not None or not words:
        mine = mine.filter(archived=bool(archived))
    found = mine.filter(searching.matching(words)) if words else mine
    if before:
        moment, last_id = _parse_before(before)
        found = found.filter(Q(updated_at__lt=moment) | Q(updated_at=moment, id__lt=last_id))
    if pinned is not None:
        found = found.filter(pinned=pinned)
    rows, following = _cut(found, _PINNED_PAGE if pinned else _PAGE)
    shapes = [conversation_shape(row) for row in rows]
    answer: dict[str, Any] = {"conversations": shapes}
    if words:
        _add_excerpts(shapes, searching.hits(rows, words))
    elif not before and pinned is None:
        pins, answer["pinned_before"] = _cut(mine.filter(pinned=True), _PINNED_PAGE)
        answer["pinned"] = [conversation_shape(row) for row in pins]
    answer["before"] = following
    answer["revision"] = at
    return answer


def _cut(found: "QuerySet[Conversation]", size: int) -> tuple[list[Conversation], str | None]:
    """Return the first of them, and where the rest begins."""
    rows = list(found[: size + 1])
    more = len(rows) > size
    rows = rows[:size]
    return rows, f"{rows[-1].updated_at.isoformat()}_{rows[-1].id}" if more else None


def _add_excerpts(shapes: list[dict[str, Any]], hits: dict[UUID, tuple[UUID, str]]) -> None:
    for shape in shapes:
        shape["message_id"], shape["excerpt"] = hits.get(shape["id"], (None, None))


def _parse_before(before: str) -> tuple[datetime, UUID]:
    moment, _sign, last_id = before.rpartition("_")
    try:
        parsed = datetime.fromisoformat(moment.replace(" ", "+"))
        if parsed.tzinfo is None:
            raise ValueError("no offset")
        return parsed.astimezone(UTC), UUID(last_id)
    except (ValueError, OverflowError):
        raise InvalidField(_("before: is not from a list"), field="before") from None
