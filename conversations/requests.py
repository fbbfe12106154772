"""What a person may ask for, validated alike for HTTP, WebSocket and the administration."""

import hashlib
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from django.utils.translation import gettext_noop
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationInfo

from streaming.transcript import is_storable

CONTENT_CHARACTERS = 1_000_000
"""What no setting raises: `STREAMING["MESSAGE_CHARACTERS"]` is the limit that people meet."""
MOST_OF_A_MESSAGE = 10
"""Files."""


def _storable(value: str) -> str:
    if not is_storable(value):
        raise ValueError(
            gettext_noop("has characters that cannot be stored: U+0000 or half a surrogate pair")
        )
    return value


def _said(value: str, info: ValidationInfo) -> str:
    if not value.strip() and not info.data.get("attachments"):
        raise ValueError(gettext_noop("is empty"))
    return value


def _said_or_kept(value: str, info: ValidationInfo) -> str:
    # Where nothing is said of files, the question that is edited may have some.
    return value if info.data.get("attachments", ()) is None else _said(value, info)


def _written_id(value: object) -> object:
    # pydantic would take sixteen bytes of text for an id as well.
    if isinstance(value, str) and len(value) not in (32, 36):
        raise ValueError(gettext_noop("is not a UUID"))
    return value


StorableText = Annotated[str, AfterValidator(_storable)]
_content = Field(max_length=CONTENT_CHARACTERS, validate_default=True)
Content = Annotated[StorableText, AfterValidator(_said), _content]
EditedContent = Annotated[StorableText, AfterValidator(_said_or_kept), _content]
Id = Annotated[UUID, BeforeValidator(_written_id)]
Files = Annotated[list[Id], Field(max_length=MOST_OF_A_MESSAGE)]


class SettingsBody(BaseModel):
    """How replies of a conversation are made."""

    temperature: float | None = Field(None, ge=0, le=2)
    max_output_tokens: int | None = Field(None, ge=1, le=1_000_000)


class StartBody(BaseModel):
    """What every start may say."""

    reply_id: Id | None = Field(None, description="Chosen by the client: a repeat attaches.")
    model: StorableText | None = None
    on_disconnect: Literal["continue", "stop"] | None = None


class SendBody(StartBody):
    """A question."""

    id: Id | None = None
    parent_id: Id | None = Field(None, description="What it follows; the head by default.")
    # Before the content, which may be empty where there are files.
    attachments: Files | None = Field(None, description="Files that were uploaded.")
    content: Content = ""


class EditBody(StartBody):
    """Another version of a question."""

    id: Id | None = None
    attachments: Files | None = Field(None, description="Its files; by default, those it had.")
    content: EditedContent = ""


class RegenerateBody(StartBody):
    """Another reply to the same question."""


class ContinueBody(StartBody):
    """Go on from where a reply ended."""

    after: str = Field(description="The cursor of the end that it continues.")


class Send(SendBody):
    """Ask a question in a conversation."""

    conversation_id: Id


class Regenerate(RegenerateBody):
    """Ask for another reply to the question of this message."""

    message_id: UUID


class Edit(EditBody):
    """Ask another version of this question."""

    message_id: UUID


class Continue(ContinueBody):
    """Continue this reply."""

    message_id: UUID


Start = Send | Regenerate | Edit | Continue


def digest(start: Start) -> str:
    """Identify a start by everything but its reply's id, to tell a repeat from another."""
    body = start.model_dump(mode="json", exclude={"reply_id"}, exclude_none=True)
    body["kind"] = type(start).__name__
    return hashlib.sha256(msgspec.json.encode(body, order="deterministic")).hexdigest()
