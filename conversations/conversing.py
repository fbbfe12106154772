"""Conversations: read, create, change. Every function is one synchronous step."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from conversations.exceptions import IdReused, InvalidField, NotFound, UnknownModel
from conversations.models import Conversation, Guest, Message, Person, new_id
from conversations.offering import catalogue
from conversations.shapes import conversation_shape, message_shapes
from conversations.sync import announce


def user_shape(user: Any) -> dict[str, Any]:
    """Return a person as the page knows them."""
    guest = Guest.objects.filter(user=user).exists()
    name = "" if guest else user.get_username()
    staff = getattr(user, "is_staff", False)
    password = not guest and user.has_usable_password()
    return {
        "id": str(user.pk),
        "name": name,
        "guest": guest,
        "staff": staff,
        "password": password,
    }


def mine(user_id: Any, conversation_id: UUID) -> Q:
    """Name a conversation of this user.

    Raises:
        NotFound: none, or somebody else's.
    """
    _get(user_id, conversation_id)
    return Q(id=conversation_id, owner_id=user_id)


def owns_reply(user_id: Any, run_id: UUID) -> bool:
    """Say whether a reply is this user's, running or settled."""
    return Message.objects.of(user_id).filter(id=run_id, role=Message.Role.ASSISTANT).exists()


def revision(user_id: Any) -> int:
    """Return the person's revision; read before the rows that it comes with, which may be newer."""
    person = Person.objects.filter(user_id=user_id).first()
    return person.revision if person else 0


def create(
    user_id: Any, body: dict[str, Any], conversation_id: UUID | None
) -> tuple[bool, dict[str, Any]]:
    """Create a conversation.

    Returns:
        Whether it is new, and its shape.
    Raises:
        IdReused: the id is somebody else's, or was used with another body.
    """
    body["model"] = _known_model(body["model"])
    body["settings"] = _chosen(body["settings"])
    with transaction.atomic():
        Person.objects.get_or_create(user_id=user_id)
        Person.objects.select_for_update().get(user_id=user_id)  # a repeat waits for the first
        if conversation_id is not None:
            found = Conversation.objects.filter(id=conversation_id).first()
            if found is not None:
                return False, _same(found, user_id, body)
        conversation = Conversation.objects.create(
            id=conversation_id or new_id(), owner_id=user_id, updated_at=timezone.now(), **body
        )
        announce(user_id, ("conversation.created", {"conversation_id": conversation.id}))
        return True, conversation_shape(conversation)


def _same(found: Conversation, user_id: Any, body: dict[str, Any]) -> dict[str, Any]:
    if found.owner_id != user_id or any(
        getattr(found, name) != value for name, value in body.items() if name != "title" or value
    ):
        raise IdReused(field="id")
    return conversation_shape(found)


def read_alone(user_id: Any, conversation_id: UUID) -> dict[str, Any]:
    """Read a conversation without its messages."""
    at = revision(user_id)
    return {**conversation_shape(_get(user_id, conversation_id)), "revision": at}


def read(user_id: Any, conversation_id: UUID) -> dict[str, Any]:
    """Read a conversation with its visible branch."""
    at_revision = revision(user_id)
    conversation = _get(user_id, conversation_id)
    shapes = {shape["id"]: shape for shape in message_shapes(conversation.id)}
    branch: list[dict[str, Any]] = []
    at = conversation.head_id
    while at is not None and at in shapes:
        branch.append(shapes[at])
        at = shapes[at]["parent_id"]
    shape = conversation_shape(conversation)
    return {**shape, "messages": branch[::-1], "revision": at_revision}


def messages(user_id: Any, conversation_id: UUID) -> dict[str, Any]:
    """Read every message of a conversation."""
    at = revision(user_id)
    conversation = _get(user_id, conversation_id)
    return {"messages": message_shapes(conversation.id), "revision": at}


def change(user_id: Any, conversation_id: UUID, changes: dict[str, Any]) -> dict[str, Any]:
    """Change a conversation; only what is named."""
    with transaction.atomic():
        announce(user_id, ("conversation.updated", {"conversation_id": conversation_id}))
        conversation = (
            Conversation.objects.of(user_id).select_for_update().filter(id=conversation_id).first()
        )
        if conversation is None:
            raise NotFound
        if "head" in changes:
            conversation.head = _head(conversation, changes.pop("head"))
        if "model" in changes:
            changes["model"] = _known_model(changes["model"])
        if changes.get("settings") is not None:
            changes["settings"] = _chosen(changes["settings"])
        for name, value in changes.items():
            if value is None:
                raise InvalidField(_("%s: may not be null") % name, field=name)
            setattr(conversation, name, value)
        conversation.touched_at = timezone.now()
        conversation.save()
        return conversation_shape(conversation)


def _head(conversation: Conversation, head_id: UUID | None) -> Message | None:
    if head_id is None:
        return None
    head = conversation.messages.filter(id=head_id).first()
    if head is None:
        raise InvalidField(_("head: is no message of this conversation"), field="head")
    return head


def _get(user_id: Any, conversation_id: UUID) -> Conversation:
    found = Conversation.objects.of(user_id).filter(id=conversation_id).first()
    if found is None:
        raise NotFound
    return found


def _known_model(model_id: str | None) -> str:
    if model_id and model_id not in catalogue().models:
        raise UnknownModel(field="model")
    return model_id or ""


def _chosen(settings: dict[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (settings or {}).items() if value is not None}
