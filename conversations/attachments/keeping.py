"""Attachments: kept when uploaded, joined to a question when it is sent, gone with it.

A row without a message waits to be sent. Two rows may name one file: the versions of a question
share what was uploaded once. The file goes with the last of them.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, BinaryIO, cast
from uuid import UUID

from django.core.files.base import File
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from conversations import conf
from conversations.attachments import content_types
from conversations.exceptions import InvalidField, NotFound, TooLarge, TooManyRequests
from conversations.models import Attachment, Message, Person, new_id
from streaming.responses import Download

_MOST_UNSENT = 100
_HEADERS = {
    # Whatever it is: nothing of it runs in our origin, and no other page uses it.
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Each use asks us, who may have signed out meanwhile; the tag spares the bytes.
    "Cache-Control": "private, no-cache",
}


def examine(upload: "UploadedFile[Any]") -> Attachment:
    """Look into an upload and write its file; the row is still to be saved.

    Raises:
        TooLarge, UnsupportedType, InvalidField
    """
    size = upload.size or 0
    if size > conf.attachment_bytes():
        raise TooLarge(_("The file is too large."))
    if not size:
        raise InvalidField(_("The file is empty."), field="file")
    content_type = content_types.find_type(cast("BinaryIO", upload))
    attachment = Attachment(
        id=new_id(),
        name=content_types.clean_name(upload.name or "", content_type),
        content_type=content_type,
        size=size,
    )
    # No name of a person's choice, and no suffix that a web server might act on.
    attachment.file.save(str(attachment.id), cast("File[Any]", upload), save=False)
    return attachment


def keep(user_id: Any, attachment: Attachment) -> None:
    """Save the row of a file that was written; in a transaction of its own.

    Raises:
        TooManyRequests: too many files of this person wait to be sent.
    """
    with transaction.atomic():
        Person.objects.get_or_create(user_id=user_id)
        Person.objects.select_for_update().get(user_id=user_id)
        waiting = Attachment.objects.filter(owner_id=user_id, message=None).count()
        if waiting >= _MOST_UNSENT:
            raise TooManyRequests(_("Too many files wait to be sent."), retry_after_seconds=60)
        attachment.owner_id = user_id
        attachment.save(force_insert=True)


def download(user_id: Any, attachment_id: UUID) -> Download:
    """Describe a file of this person as it is served.

    Raises:
        NotFound: none, or somebody else's.
    """
    found = Attachment.objects.filter(id=attachment_id, owner_id=user_id).first()
    if found is None:
        raise NotFound
    image = content_types.is_image(found.content_type)
    return Download(
        open=cast("Callable[[], BinaryIO]", partial(default_storage.open, str(found.file.name))),
        size=found.size,
        etag=f'"{found.id.hex}"',
        content_type=found.content_type if image else f"{content_types.TEXT}; charset=utf-8",
        name=found.name,
        inline=image,
        last_modified=found.created_at,
        headers=_HEADERS,
    )


def unsent(user_id: Any) -> list[Attachment]:
    """List the files of this person that wait to be sent, in the order of their upload."""
    return list(Attachment.objects.filter(owner_id=user_id, message=None))


def forget(user_id: Any, attachment_id: UUID) -> None:
    """Delete a file that was not sent.

    Raises:
        NotFound: none, or somebody else's.
        InvalidField: it belongs to a message, and goes with it.
    """
    with transaction.atomic():
        mine = Attachment.objects.select_for_update().filter(owner_id=user_id)
        found = mine.filter(id=attachment_id).first()
        if found is None:
            raise NotFound
        if found.message_id is not None:
            raise InvalidField(_("The file belongs to a message."), field="attachment_id")
        found.delete()


def enclose(user_id: Any, ids: Sequence[UUID], question: Message) -> None:
    """Join files to a question that was just written, in the caller's transaction.

    Files of another message are shared with it: that is how an edited question keeps them.

    Raises:
        InvalidField: one of them does not exist, or is somebody else's.
    """
    if not ids:
        return
    mine = Attachment.objects.select_for_update().filter(owner_id=user_id)
    found = mine.in_bulk(list(ids))
    parts: list[dict[str, Any]] = []
    for attachment_id in dict.fromkeys(ids):
        attachment = found.get(attachment_id)
        if attachment is None:
            raise InvalidField(_("attachments: there is no such file"), field="attachments")
        if attachment.message_id is not None:
            attachment.pk = new_id()
            attachment._state.adding = True
        attachment.message = question
        attachment.save()
        parts.append({"kind": "attachment", "attachment": described(attachment)})
    question.parts = [*parts, *question.parts]
    question.save(update_fields=["parts"])


def ids_of(message: Message) -> list[UUID]:
    """List the files of a message, in order."""
    return [UUID(file["id"]) for file in _files_of(message)]


def names_of(message: Message) -> str:
    """Name the files of a message, in order."""
    return ", ".join(file["name"] for file in _files_of(message))


def _files_of(message: Message) -> list[dict[str, Any]]:
    return [part["attachment"] for part in message.parts if part["kind"] == "attachment"]


def described(attachment: Attachment) -> dict[str, Any]:
    """Return what a message says of a file; its address depends on the request."""
    return {
        "id": str(attachment.id),
        "name": attachment.name,
        "content_type": attachment.content_type,
        "size": attachment.size,
    }


def enclosed_in(messages: Iterable[Message]) -> dict[UUID, list[Attachment]]:
    """Find the files of messages, by the messages' ids; asks nothing where there are none."""
    ids = [message.id for message in messages if message.has_attachments]
    found: dict[UUID, list[Attachment]] = {}
    if ids:
        for attachment in Attachment.objects.filter(message_id__in=ids):
            found.setdefault(cast("UUID", attachment.message_id), []).append(attachment)
    return found


def purge_unsent(before: datetime) -> int:
    """Delete files that were uploaded before a moment and never sent; returns their number."""
    count = 0
    while True:
        with transaction.atomic():
            old = Attachment.objects.select_for_update().filter(message=None, created_at__lt=before)
            batch = list(old[:100])
            for attachment in batch:
                attachment.delete()
        if not batch:
            return count
        count += len(batch)


def remove_file_with(*, instance: Attachment, **kwargs: Any) -> None:
    """Remove the file of a row that was deleted, once that is committed.

    A receiver of `post_delete`, the one place that cascades pass, too: of messages,
    conversations and people, whoever deletes them.
    """
    transaction.on_commit(partial(_remove, instance.owner_id, str(instance.file.name)), robust=True)


def _remove(owner_id: Any, name: str) -> None:
    if not Attachment.objects.filter(owner_id=owner_id, file=name).exists():
        default_storage.delete(name)
