"""Guests: users who came without signing up, and what becomes of theirs when they do."""

import secrets
from typing import Any

from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import EmailField

from conversations.limits import spending
from conversations.models import Attachment, Conversation, Guest, Person, Prompt
from conversations.sync import announce
from conversations.webhooks import outbox
from streaming.models import Run


def make() -> Any:
    """Make a user without a password; a session is bound to it by whoever asked."""
    with transaction.atomic():
        users = get_user_model()
        name = f"guest-{secrets.token_hex(8)}"
        if isinstance(users._meta.get_field(users.USERNAME_FIELD), EmailField):
            name += "@guest.invalid"
        guest = users._default_manager.model(**{users.USERNAME_FIELD: name})
        guest.set_unusable_password()
        guest.save()
        Guest.objects.create(user=guest)
        Person.objects.create(user=guest)
        return guest


def is_guest(user: Any) -> bool:
    """Say whether this user came without signing up."""
    return bool(user.is_authenticated) and Guest.objects.filter(user_id=user.pk).exists()


def settle_down(user: Any) -> None:
    """Make a guest a user like any other; everything of theirs is theirs already."""
    Guest.objects.filter(user_id=user.pk).delete()


def adopt(guest_id: Any, user_id: Any) -> None:
    """Give everything of a guest to a user, live replies too, and delete the guest.

    Nothing happens where `guest_id` is no guest's, or is the user's own.
    """
    if guest_id == user_id:
        return
    with transaction.atomic():
        if not Guest.objects.filter(user_id=guest_id).exists():
            return
        # Run before person before conversation: the order in which a settlement locks.
        _take_runs(guest_id, user_id)
        Person.objects.get_or_create(user_id=user_id)
        both = Person.objects.filter(user_id__in=[guest_id, user_id]).order_by("pk")
        list(both.select_for_update())
        _take_runs(guest_id, user_id)  # those begun before we held the guest
        theirs = Conversation.objects.of(guest_id)
        ids = list(theirs.values_list("id", flat=True))
        announce(user_id, *(("conversation.created", {"conversation_id": pk}) for pk in ids))
        theirs.update(owner_id=user_id)
        Attachment.objects.filter(owner_id=guest_id).update(owner_id=user_id)
        _take_prompts(guest_id, user_id)
        spending.adopt(guest_id, user_id)
        outbox.adopt(guest_id, user_id)
        get_user_model()._default_manager.filter(pk=guest_id).delete()


def _take_runs(guest_id: Any, user_id: Any) -> None:
    Run.objects.filter(owner_key=str(guest_id)).update(owner_key=str(user_id))


def _take_prompts(guest_id: Any, user_id: Any) -> None:
    """Take the prompts; of two with one name the user's own stays."""
    kept = Prompt.objects.filter(owner_id=user_id).values("name")
    Prompt.objects.filter(owner_id=guest_id).exclude(name__in=kept).update(owner_id=user_id)
