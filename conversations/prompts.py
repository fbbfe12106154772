"""Prompts: texts that a person uses again and again. Every function is one synchronous step."""

from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from conversations.exceptions import InvalidField, NotFound
from conversations.models import Prompt
from conversations.sync import announce

MOST_PROMPTS = 500


def listed(user_id: Any) -> dict[str, Any]:
    """List a person's prompts by their names."""
    return {"prompts": [_shape(one) for one in Prompt.objects.filter(owner_id=user_id)]}


def create(user_id: Any, body: dict[str, Any]) -> dict[str, Any]:
    """Keep a new prompt.

    Raises:
        InvalidField: the name is taken, or there are too many.
    """
    with transaction.atomic():
        announce(user_id)  # locks the person: two requests cannot both be the last that fits
        if Prompt.objects.filter(owner_id=user_id).count() >= MOST_PROMPTS:
            message = _("You have as many prompts as can be kept; delete one first.")
            raise InvalidField(message, field="name")
        prompt = Prompt(owner_id=user_id, **body)
        _save(prompt)
        return _shape(prompt)


def change(user_id: Any, prompt_id: UUID, changes: dict[str, Any]) -> dict[str, Any]:
    """Change a prompt; only what is named.

    Raises:
        NotFound, InvalidField
    """
    with transaction.atomic():
        announce(user_id)
        prompt = Prompt.objects.filter(owner_id=user_id, id=prompt_id).first()
        if prompt is None:
            raise NotFound
        for name, value in changes.items():
            if value is None:
                raise InvalidField(_("%s: may not be null") % name, field=name)
            setattr(prompt, name, value)
        _save(prompt)
        return _shape(prompt)


def delete(user_id: Any, prompt_id: UUID) -> None:
    """Delete a prompt.

    Raises:
        NotFound
    """
    with transaction.atomic():
        announce(user_id)
        deleted, _rows = Prompt.objects.filter(owner_id=user_id, id=prompt_id).delete()
        if not deleted:
            raise NotFound


def _save(prompt: Prompt) -> None:
    try:
        with transaction.atomic():
            prompt.save()
    except IntegrityError:
        message = _("You have a prompt of this name already.")
        raise InvalidField(message, field="name") from None


def _shape(prompt: Prompt) -> dict[str, Any]:
    return {
        "id": prompt.id,
        "name": prompt.name,
        "content": prompt.content,
        "created_at": prompt.created_at,
    }
