"""Deleting conversations and people: what is live in them is ended first, as the API does it."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext, ngettext

from conversations.ending import discard
from conversations.models import Conversation, Message

_BATCH = 100
_NAMED = 100


class Doomed(NamedTuple):
    """What a page of confirmation says, in the order in which Django's pages expect it."""

    names: list[str]
    counts: dict[str, int]
    permissions_needed: set[str]
    protected: list[str]


def discard_conversations(ids: list[Any]) -> None:
    """Delete conversations, some at a time: a settlement waits for one batch at most."""
    for start in range(0, len(ids), _BATCH):
        discard(Q(id__in=ids[start : start + _BATCH]))


def delete_users(queryset: "QuerySet[Any]") -> None:
    """Delete people with their conversations, some at a time, each batch all or nothing."""
    ids = list(queryset.order_by().values_list("pk", flat=True))
    for start in range(0, len(ids), _BATCH):
        batch = ids[start : start + _BATCH]
        with transaction.atomic():
            discard(Q(owner_id__in=batch))
            get_user_model()._default_manager.filter(pk__in=batch).delete()


def doomed_conversations(chosen: Iterable[Conversation], *, readable: bool) -> Doomed:
    """Count what goes; Django's own way would load every message to name it."""
    rows = list(chosen)
    messages = Message.objects.filter(conversation_id__in=[row.pk for row in rows]).count()
    counts = {gettext("conversations"): len(rows), gettext("messages"): messages}
    names = [(row.title if readable else "") or str(row) for row in rows]
    return Doomed(_names(names), counts, set(), [])


def doomed_users(chosen: Iterable[Any]) -> Doomed:
    """Count what goes with these people."""
    rows = list(chosen)
    ids = [row.pk for row in rows]
    counts = {
        gettext("users"): len(rows),
        gettext("conversations"): Conversation.objects.filter(owner_id__in=ids).count(),
        gettext("messages"): Message.objects.filter(conversation__owner_id__in=ids).count(),
    }
    return Doomed(_names(rows), counts, set(), [])


def _names(rows: list[Any]) -> list[str]:
    names = [str(row) for row in rows[:_NAMED]]
    left = len(rows) - _NAMED
    if left <= 0:
        return names
    return [
        *names,
        ngettext("… and %(count)s more", "… and %(count)s more", left) % {"count": left},
    ]
