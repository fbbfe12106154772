"""Delete guests who have not been here for a while, with what they said."""

from argparse import ArgumentParser
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from conversations.ending import discard
from conversations.models import Conversation, Guest, Message

_BATCH = 100


class Command(BaseCommand):
    help = "Delete guests without activity, and their conversations. Staff is never deleted."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=int, default=30, help="without activity (30)")

    def handle(self, *args: Any, days: int, **options: Any) -> None:
        if days < 1:
            raise CommandError("--days is at least 1: a guest who is here now would lose all.")
        before = timezone.now() - timedelta(days=days)
        count = 0
        while purged := _purge(before):
            count += purged
        self.stdout.write(f"Deleted {count} guests who were away for {days} days.")


@transaction.atomic
def _purge(before: datetime) -> int:
    """Delete one batch; somebody who came back meanwhile is no longer in the next."""
    ids = list(_away_since(before).values_list("pk", flat=True)[:_BATCH])
    discard(Q(owner_id__in=ids))
    get_user_model()._default_manager.filter(pk__in=ids).delete()
    return len(ids)


def _away_since(before: datetime) -> "QuerySet[Guest]":
    """Guests who neither signed in, nor changed a conversation, nor have a reply in flight."""
    theirs = Conversation.objects.filter(owner_id=OuterRef("pk"))
    running = Message.objects.running().filter(conversation__owner_id=OuterRef("pk"))
    return Guest.objects.filter(
        Q(user__last_login=None) | Q(user__last_login__lt=before),
        ~Exists(theirs.filter(Q(updated_at__gte=before) | Q(touched_at__gte=before))),
        ~Exists(running),
        _not_staff(),
        created_at__lt=before,
    ).order_by("pk")


def _not_staff() -> Q:
    """Leave staff out, where the project's users have such a thing."""
    names = {field.name for field in get_user_model()._meta.get_fields()}
    return Q(user__is_staff=False) if "is_staff" in names else Q()
