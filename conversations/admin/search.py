"""Finding conversations by what was said in them, by title, by owner, or by an id."""

from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import Q, QuerySet

from conversations.models import Message

MOST_MESSAGES = 1000
"""The newest messages with a text that a search takes; more than that nobody reads."""


def matching(term: str) -> Q:
    """Name the conversations that hold this text; an id finds what it belongs to."""
    try:
        return _with_id(UUID(term))
    except ValueError:
        pass
    return Q(title__icontains=term) | _owned_by(term) | Q(id__in=_said(term))


def naming(term: str) -> Q:
    """Name conversations by owner or id: for those who may not read what is in them."""
    try:
        return _with_id(UUID(term))
    except ValueError:
        return _owned_by(term)


def _owned_by(term: str) -> Q:
    return Q(**{f"owner__{get_user_model().USERNAME_FIELD}__icontains": term})


def _with_id(one: UUID) -> Q:
    """Find by the id of a conversation, a message or a run, as logs name them."""
    held = Message.objects.filter(id=one).values_list("conversation_id", flat=True)
    return Q(id__in=[one, *held])


def _said(term: str) -> list[UUID]:
    """Read the texts once: a subquery would be run for the count and again for the page."""
    ids = _holding(term).values_list("conversation_id", flat=True)[:MOST_MESSAGES]
    return list(dict.fromkeys(ids))


def said_in(term: str) -> list[UUID]:
    """Name the newest messages that hold this text."""
    return list(_holding(term).values_list("id", flat=True)[:MOST_MESSAGES])


def _holding(term: str) -> "QuerySet[Message]":
    spelled = Q()
    for spelling in _spellings(term):
        spelled |= Q(content__contains=spelling)
    return Message.objects.filter(spelled).order_by("-created_at")


def _spellings(term: str) -> list[str]:
    """Spell a text as typed, small, capitalised and in capitals.

    Four plain comparisons cost PostgreSQL a quarter of putting every text into capitals, which is
    what `icontains` does, and SQLite's comparison knows the case of ASCII only.
    """
    found = dict.fromkeys([term, term.lower(), term.lower().capitalize(), term.upper()])
    if connection.vendor == "sqlite":
        return list({_ascii_lower(spelling): spelling for spelling in found}.values())
    return list(found)


def _ascii_lower(text: str) -> str:
    return "".join(one.lower() if one.isascii() else one for one in text)
