"""Reading what people write needs a permission of its own, and leaves a trace."""

from typing import Any, cast
from uuid import UUID

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model
from django.http import HttpRequest

PERMISSION = "holdfast_conversations.read_messages"


def may_read(request: HttpRequest) -> bool:
    """Say whether this member of staff may read texts and titles; others see figures and dates."""
    return request.user.has_perm(PERMISSION)


def note_reading(
    request: HttpRequest, model: type[Model], said: str, *, object_id: UUID | None = None
) -> None:
    """Leave an entry in the admin's log: who read, what, and when.

    Args:
        said: what was done, in words.
        object_id: the one object; None for a selection.
    """
    meta: Any = model._meta
    about = meta.verbose_name_plural if object_id is None else meta.verbose_name
    LogEntry.objects.create(
        user=cast("Any", request.user),
        content_type=ContentType.objects.get_for_model(model, for_concrete_model=False),
        object_id=None if object_id is None else str(object_id),
        object_repr=f"{about} {object_id or ''}".strip()[:200],
        action_flag=CHANGE,
        change_message=said,
    )
