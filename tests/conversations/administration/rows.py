"""What the tests of the administration find in the database, and who looks."""

from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from conversations.models import Conversation, Message, Person, new_id
from streaming.models import Fragment, Run, Worker

SECRET = "thistledown"
"""A word of Alice's that only those who may read messages may ever see."""


def person(name: str) -> Any:
    """Sign somebody up."""
    user = get_user_model().objects.create_user(name)
    Person.objects.create(user=user)
    return user


def staff_with(*permissions: str) -> Client:
    """Sign in a member of staff who may do this and nothing else."""
    user = get_user_model().objects.create_user(f"staff-{new_id()}", is_staff=True)
    found = Permission.objects.filter(codename__in=permissions)
    assert len(found) == len(permissions), permissions
    user.user_permissions.set(found)
    client = Client()
    client.force_login(user)
    return client


def say(
    conversation: Conversation, text: str, parent: Message | None = None, **fields: Any
) -> Message:
    """Add a message, and show it."""
    now = timezone.now()
    given = {"role": "user", "settled_at": now, "created_at": now, **fields}
    message = Message(conversation=conversation, parent=parent, **given)
    message.parts = [{"kind": "text", "text": text}] if text else []
    message.content = text
    message.save()
    Conversation.objects.filter(pk=conversation.pk).update(head=message)
    return message


def reply(conversation: Conversation, text: str, parent: Message, **fields: Any) -> Message:
    """Add a settled reply."""
    usual = {"role": "assistant", "provider": "demo", "model": "demo", "reason": "stop"}
    return say(conversation, text, parent, **{**usual, **fields})


def running(conversation: Conversation, text: str = "", **worker: Any) -> Run:
    """Add a reply in flight on some other worker, with its text so far."""
    question = say(conversation, "How long is it?")
    row = reply(conversation, "", question, status="running", reason="", settled_at=None)
    here = Worker.objects.create(**{"id": new_id(), "host": "alpha", "pid": 77, **worker})
    run = Run.objects.create(
        id=row.id,
        worker_id=here.id,
        claim=new_id(),
        owner_key=str(conversation.owner_id),
        about={"conversation_id": str(conversation.id), "model": "demo"},
        started_at=timezone.now() - timedelta(seconds=90),
    )
    if text:
        Fragment.objects.create(run_id=run.id, part=1, kind="text", end=len(text), text=text)
    return run
