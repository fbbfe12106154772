"""A person leaves: everything that is kept of them is deleted."""

from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import ProtectedError, Q, RestrictedError

from conversations import replies
from conversations.ending import discard
from conversations.models import ApiKey, Attachment, Conversation, Guest, Person, Prompt
from streaming import runner, threads, workers

_BATCH = 50


async def leave(user: Any) -> None:
    """Delete a user with all of theirs; what is live ends first. Their sessions open nothing then.

    Where other data of a project holds on to the user, the account is closed instead: nobody can
    sign in to it, and nothing of the chat is left in it.

    Cancellation: what was deleted stays so; leaving again deletes the rest.
    """
    while ids := await threads.read(_some, user.pk):
        await replies.delete_conversations(Q(id__in=ids, owner_id=user.pk))
    for run_id in await threads.write(_delete, user.pk):
        runner.stop(workers.current(), run_id, reason="deleted")


def _some(user_id: Any) -> list[UUID]:
    return list(Conversation.objects.of(user_id).values_list("id", flat=True)[:_BATCH])


def _delete(user_id: Any) -> list[UUID]:
    users = get_user_model()._default_manager
    with transaction.atomic():
        runs = discard(Q(owner_id=user_id))  # what was begun meanwhile
        try:
            with transaction.atomic():
                users.filter(pk=user_id).delete()
        except (ProtectedError, RestrictedError):
            _close(users.get(pk=user_id))
        return runs


def _close(user: Any) -> None:
    Attachment.objects.filter(owner_id=user.pk).delete()
    Prompt.objects.filter(owner_id=user.pk).delete()
    ApiKey.objects.filter(owner_id=user.pk).delete()
    Guest.objects.filter(user_id=user.pk).delete()
    Person.objects.filter(user_id=user.pk).delete()
    user.set_unusable_password()
    user.is_active = False
    user.save()
