"""Guests who do not come back are deleted with what they said; nobody else is."""

import io
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.utils import timezone

from conversations.models import Conversation, Guest, Message, Person, new_id
from streaming.models import Run

pytestmark = pytest.mark.django_db


def _guest(name: str, *, days: int, **fields: Any) -> Any:
    user = get_user_model().objects.create(username=name, **fields)
    Person.objects.create(user=user)
    guest = Guest.objects.create(user=user)
    Guest.objects.filter(pk=guest.pk).update(created_at=_ago(days))
    return user


def _ago(days: int) -> Any:
    return timezone.now() - timedelta(days=days)


def _conversation(owner: Any, *, days: int) -> Conversation:
    return Conversation.objects.create(owner=owner, title="t", updated_at=_ago(days))


def _purge(*arguments: str) -> str:
    out = io.StringIO()
    call_command("purge_guests", *arguments, stdout=out)
    return out.getvalue()


def _left() -> set[str]:
    return set(get_user_model().objects.values_list("username", flat=True))


def test_a_guest_who_stays_away_goes_with_every_conversation() -> None:
    away = _guest("away", days=90, last_login=_ago(90))
    conversation = _conversation(away, days=40)
    Message.objects.create(
        conversation=conversation, role="user", created_at=_ago(40), settled_at=_ago(40)
    )
    assert "Deleted 1 guest" in _purge("--days", "30")
    assert _left() == set()
    assert not Conversation.objects.exists()
    assert not Message.objects.exists()


def test_whoever_was_here_since_stays() -> None:
    _guest("new", days=1)
    _guest("signed in", days=90, last_login=_ago(2))
    _conversation(_guest("wrote", days=90), days=3)
    renamed = _conversation(_guest("renamed", days=90), days=80)
    Conversation.objects.filter(pk=renamed.pk).update(touched_at=_ago(3))
    get_user_model().objects.create(username="no guest", date_joined=_ago(400))
    _guest("now staff", days=90, is_staff=True)
    _purge("--days", "30")
    assert _left() == {"new", "signed in", "wrote", "renamed", "no guest", "now staff"}


def test_a_guest_whose_reply_is_in_flight_stays() -> None:
    conversation = _conversation(_guest("asks", days=90), days=60)
    reply = Message.objects.create(
        conversation=conversation, role="assistant", status="running", created_at=_ago(60)
    )
    Run.objects.create(
        id=reply.id, worker_id=new_id(), claim=new_id(), owner_key="1", started_at=_ago(60)
    )
    _purge()
    assert _left() == {"asks"}
    assert Run.objects.get().discarded is False


def test_more_guests_than_one_batch_go() -> None:
    for number in range(203):
        _guest(f"guest-{number}", days=31)
    assert "Deleted 203 guests" in _purge("--days", "30")
    assert _left() == set()


def test_the_guests_of_today_cannot_be_purged() -> None:
    with pytest.raises(CommandError, match="--days is at least 1"):
        _purge("--days", "0")
