"""Fill the database with sample conversations, or take them away again."""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand
from django.db import transaction
from django.db.models import OuterRef, Q, Subquery
from django.utils import timezone

from conversations.ending import discard
from conversations.management.commands.ensure_dev_admin import NAME as ADMIN
from conversations.management.sampling import Sample, is_sample, samples
from conversations.models import Conversation, Message, Person
from conversations.sync import announce

_DOMAIN = "@sample.invalid"
_ADMIN_MESSAGES = 60
_BATCH_MESSAGES = 1000
_REMOVE_BATCH = 100


class Command(BaseCommand):
    help = "Make sample conversations, owned by the user `sample` and, where there is one, the "
    help += "development admin. The same seed gives the same conversations."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--messages", type=int, default=300, help="how many (300)")
        parser.add_argument("--users", type=int, default=1, help="owners: sample, sample-2, … (1)")
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--remove", action="store_true", help="take all samples away")

    def handle(
        self, *args: Any, messages: int, users: int, seed: int, remove: bool, **options: Any
    ) -> None:
        if remove:
            self.stdout.write(f"Removed {_remove()} sample conversations.")
            return
        until = timezone.now()
        for_admin = min(_ADMIN_MESSAGES, messages // 5) if (admins := _admin()) else 0
        made = _store(
            samples(_owners(users), messages=messages - for_admin, seed=seed, until=until)
        )
        # Another seed: the admin sees other conversations than the sample user has.
        made += _store(samples(admins, messages=for_admin, seed=seed + 1_000_003, until=until))
        self.stdout.write(
            f"Made {made} sample conversations with {messages} messages. "
            "To take them away: manage.py make_sample_data --remove"
        )


def _owners(count: int) -> list[Any]:
    users = get_user_model()
    names = ["sample", *(f"sample-{number}" for number in range(2, count + 1))]
    found = dict(
        users._default_manager.filter(**{f"{users.USERNAME_FIELD}__in": names}).values_list(
            users.USERNAME_FIELD, "pk"
        )
    )
    for name in names:
        if name not in found:
            user = users(**{users.USERNAME_FIELD: name, "email": name + _DOMAIN})
            user.set_unusable_password()
            user.save()
            found[name] = user.pk
    return [found[name] for name in names]


def _admin() -> list[Any]:
    users = get_user_model()
    admins = users._default_manager.filter(**{users.USERNAME_FIELD: ADMIN}, is_superuser=True)
    return list(admins.values_list("pk", flat=True))


def _store(found: Iterator[Sample]) -> int:
    """Write in batches: constant memory, and other writers get their turn."""
    count = 0
    batch: list[Sample] = []
    waiting = 0
    for sample in found:
        batch.append(sample)
        waiting += len(sample.messages)
        count += 1
        if waiting >= _BATCH_MESSAGES:
            _write(batch)
            batch, waiting = [], 0
    if batch:
        _write(batch)
    return count


def _write(batch: list[Sample]) -> None:
    messages = [message for sample in batch for message in sample.messages]
    owners = {sample.conversation.owner_id for sample in batch}
    with transaction.atomic():
        Person.objects.bulk_create(
            [Person(user_id=owner) for owner in sorted(owners)], ignore_conflicts=True
        )
        for owner in sorted(owners):
            announce(owner)
        rows = Conversation.objects.bulk_create([sample.conversation for sample in batch])
        Message.objects.bulk_create(messages, batch_size=500)
        first = Message.objects.filter(conversation=OuterRef("pk")).order_by("created_at")
        # `auto_now_add` has set it to now.
        Conversation.objects.filter(id__in=[row.id for row in rows]).update(
            created_at=Subquery(first.values("created_at")[:1])
        )


def _remove() -> int:
    everything = Conversation.objects.order_by().values_list("id", flat=True).iterator()
    ids = [one for one in everything if is_sample(one)]
    for start in range(0, len(ids), _REMOVE_BATCH):
        discard(Q(id__in=ids[start : start + _REMOVE_BATCH]))
    users = get_user_model()._default_manager.filter(email__endswith=_DOMAIN)
    owned: list[UUID] = list(
        Conversation.objects.filter(owner__in=users).values_list("id", flat=True)
    )
    for start in range(0, len(owned), _REMOVE_BATCH):
        discard(Q(id__in=owned[start : start + _REMOVE_BATCH]))
    users.delete()
    return len(ids)
