"""The endpoints of prompts."""

from typing import Annotated, Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import HttpRequest
from ninja import Router
from ninja.responses import Status
from pydantic import AfterValidator, BaseModel, Field

from conversations import prompts
from conversations.requests import StorableText
from streaming import threads

router = Router()


def _in_one_line(value: str) -> str:
    line = " ".join(value.split())
    if not line:
        raise ValueError("is empty")
    return line


def _written(value: str) -> str:
    if not value.strip():
        raise ValueError("is empty")
    return value


Name = Annotated[StorableText, Field(max_length=100), AfterValidator(_in_one_line)]
Content = Annotated[StorableText, Field(max_length=20_000), AfterValidator(_written)]


class PromptBody(BaseModel):
    """A new prompt."""

    name: Name
    content: Content


class PromptChange(BaseModel):
    """What may change; what is left out stays."""

    name: Name | None = None
    content: Content | None = None


def _user_id(request: HttpRequest) -> Any:
    return request.auth.pk  # type: ignore[attr-defined]


@router.get("/prompts")
async def list_prompts(request: HttpRequest) -> dict[str, Any]:
    """List one's prompts by name."""
    return await sync_to_async(prompts.listed)(_user_id(request))


@router.post("/prompts", response={201: dict})
async def create_prompt(request: HttpRequest, payload: PromptBody) -> Status[Any]:
    """Keep a prompt."""
    made = await threads.write(prompts.create, _user_id(request), payload.model_dump())
    return Status(201, made)


@router.patch("/prompts/{uuid:prompt_id}")
async def change_prompt(
    request: HttpRequest, prompt_id: UUID, payload: PromptChange
) -> dict[str, Any]:
    """Rename a prompt, or write it anew."""
    changes = payload.model_dump(exclude_unset=True)
    return await threads.write(prompts.change, _user_id(request), prompt_id, changes)


@router.delete("/prompts/{uuid:prompt_id}", response={204: None})
async def delete_prompt(request: HttpRequest, prompt_id: UUID) -> Status[None]:
    """Delete a prompt."""
    await threads.write(prompts.delete, _user_id(request), prompt_id)
    return Status(204, None)
