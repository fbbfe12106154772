"""The transactions that end replies before their time: a stop, and deletions."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from conversations.exceptions import NotFound
from conversations.models import Conversation, Message
from conversations.sync import announce
from streaming.models import Run
from streaming.runs import note_stop


def request_stop(user_id: Any, run_id: UUID) -> bool:
    """Record that a person wants a reply to end.

    Returns:
        Whether it is settled already.
    Raises:
        NotFound: no such reply, or somebody else's.
    """
    reply = Message.objects.of(user_id).filter(id=run_id, role=Message.Role.ASSISTANT).first()
    if reply is None:
        raise NotFound
    if reply.status != Message.Status.RUNNING:
        return True
    note_stop(run_id)
    return False


def discard(conversations: Q) -> list[UUID]:
    """Delete conversations; what is live in them is marked and ends as `stopped`, `deleted`.

    Returns:
        The runs that were live.
    """
    with transaction.atomic():
        # Run before person before conversation: the order in which a settlement locks.
        running = Message.objects.running().filter(
            conversation_id__in=Conversation.objects.filter(conversations).values("id")
        )
        runs = list(running.values_list("id", flat=True))
        Run.objects.filter(id__in=runs).update(discarded=True)
        found = Conversation.objects.filter(conversations)
        for owner, conversation_id in sorted(
            found.values_list("owner_id", "id"), key=lambda row: str(row[0])
        ):
            announce(owner, ("conversation.deleted", {"conversation_id": conversation_id}))
        ids = list(found.select_for_update().values_list("id", flat=True))
        begun_since = list(running.exclude(id__in=runs).values_list("id", flat=True))
        Run.objects.filter(id__in=begun_since).update(discarded=True)
        Conversation.objects.filter(id__in=ids).delete()
        return runs + begun_since


def discard_message(user_id: Any, message_id: UUID) -> list[UUID]:
    """Delete a message with what follows it in its branch.

    Where that was shown, the newest other version of the message is shown with what follows it,
    or, where there is none, the branch up to the message before it.

    Returns:
        The runs that were live.
    Raises:
        NotFound: no such message, or somebody else's.
    """
    with transaction.atomic():
        message = (
            Message.objects.of(user_id).select_related("conversation").filter(id=message_id).first()
        )
        if message is None:
            raise NotFound
        # Run before person before conversation, as in `discard`.
        runs = _discard_running(_subtree(message))
        ids = {"conversation_id": message.conversation_id, "message_id": message_id}
        announce(user_id, ("message.deleted", ids))
        doomed = _subtree(message)  # with what was begun until we held the person
        runs += _discard_running(doomed, known=runs)
        Conversation.objects.filter(id=message.conversation_id, head_id__in=doomed).update(
            head_id=_shown_instead(message)
        )
        # All at once: Django follows a cascade by recursion, one level of it for each message.
        Message.objects.filter(id__in=doomed).delete()
        return runs


def _discard_running(messages: set[UUID], *, known: Sequence[UUID] = ()) -> list[UUID]:
    running = Message.objects.running().filter(id__in=messages).exclude(id__in=known)
    runs = list(running.values_list("id", flat=True))
    Run.objects.filter(id__in=runs).update(discarded=True)
    return runs


def _shown_instead(message: Message) -> UUID | None:
    siblings = Message.objects.filter(
        conversation_id=message.conversation_id, parent_id=message.parent_id
    )
    other = siblings.exclude(id=message.id).last()
    if other is None:
        return message.parent_id
    newest = Message.objects.filter(id__in=_subtree(other)).last()
    return newest.id if newest is not None else other.id


def _subtree(message: Message) -> set[UUID]:
    children: dict[UUID | None, list[UUID]] = {}
    rows = Message.objects.filter(conversation_id=message.conversation_id)
    for one, parent in rows.values_list("id", "parent_id"):
        children.setdefault(parent, []).append(one)
    found: set[UUID] = set()
    waiting = [message.id]
    while waiting:
        one = waiting.pop()
        found.add(one)
        waiting += children.get(one, [])
    return found
