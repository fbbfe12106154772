"""Sample conversations: the same for a seed, of every kind, and gone without a trace."""

import io
from collections import Counter
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.utils import timezone

from conversations.models import Conversation, Message, Person

pytestmark = pytest.mark.django_db


def _make(*arguments: str) -> str:
    out = io.StringIO()
    call_command("make_sample_data", *arguments, stdout=out)
    return out.getvalue()


def _said() -> list[tuple[str, str, str]]:
    return sorted(Message.objects.values_list("content", "status", "model"))


@pytest.mark.parametrize("messages", [1, 2, 7, 300])
def test_there_are_as_many_messages_as_asked_for(messages: int) -> None:
    _make("--messages", str(messages))
    assert Message.objects.count() == messages


def test_a_seed_gives_the_same_conversations_again() -> None:
    _make("--seed", "7")
    first = _said()
    _make("--remove")
    _make("--seed", "7")
    assert _said() == first
    _make("--remove")
    _make("--seed", "8")
    assert _said() != first


def test_samples_show_every_outcome_branches_models_and_usage() -> None:
    _make()
    replies = Message.objects.filter(role="assistant")
    outcomes = set(replies.values_list("status", flat=True))
    assert outcomes == {"completed", "stopped", "interrupted", "failed"}
    assert replies.values("model").distinct().count() >= 3
    assert replies.filter(input_tokens__gt=0, output_tokens__gt=0).exists()
    children = Counter(Message.objects.values_list("parent_id", flat=True).exclude(parent=None))
    assert max(children.values()) > 1
    assert not Message.objects.running().exists()


def test_every_head_closes_a_branch_of_its_own_conversation() -> None:
    _make()
    for conversation in Conversation.objects.select_related("head"):
        assert conversation.head is not None
        assert conversation.head.conversation_id == conversation.id
        assert not conversation.head.children.exists()


def test_stored_parts_and_content_belong_together() -> None:
    _make()
    for message in Message.objects.all():
        before = message.content
        message.take_parts(message.stored_parts())
        assert message.content == before


def test_samples_lie_within_the_last_sixty_days() -> None:
    _make()
    oldest = Conversation.objects.order_by("created_at")[0].created_at
    assert timezone.now() - timedelta(days=61) < oldest < timezone.now() - timedelta(days=20)


def test_the_development_admin_sees_some_and_other_owners_share_the_rest() -> None:
    admin = get_user_model().objects.create(username="admin", is_superuser=True)
    _make("--users", "3")
    owners = set(Conversation.objects.values_list("owner__username", flat=True))
    assert owners == {"admin", "sample", "sample-2", "sample-3"}
    assert Conversation.objects.filter(owner=admin).count() > 2
    assert not get_user_model().objects.get(username="sample-2").has_usable_password()


def test_removing_takes_the_samples_and_nothing_else() -> None:
    users = get_user_model()
    admin = users.objects.create(username="admin", is_superuser=True)
    mine = Conversation.objects.create(owner=admin, title="mine", updated_at=timezone.now())
    Person.objects.create(user=admin)
    _make("--messages", "120")
    _make("--messages", "50", "--seed", "2")
    _make("--remove")
    assert list(Conversation.objects.all()) == [mine]
    assert list(users.objects.all()) == [admin]
    assert not Message.objects.exists()


def test_a_person_named_sample_is_not_removed() -> None:
    real = get_user_model().objects.create_user("sample", "sample@example.org", "secret")
    kept = Conversation.objects.create(owner=real, title="kept", updated_at=timezone.now())
    _make("--messages", "20")
    _make("--remove")
    assert list(Conversation.objects.all()) == [kept]
    assert get_user_model().objects.get() == real
