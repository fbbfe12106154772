"""The JSON API of `docs/protocol.md`."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import get_token
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.parser import Parser
from ninja.responses import Status
from pydantic import BaseModel, Field

from conversations import (
    conf,
    conversing,
    errors,
    feedback,
    listing,
    notices_api,
    prompts_api,
    replies,
    sync_api,
)
from conversations.accounts import api as accounts_api
from conversations.accounts.bearing import key_of
from conversations.accounts.identity import check_key, signed_in, visitor
from conversations.attachments import api as attachments_api
from conversations.exceptions import BadJson, UnsupportedType
from conversations.exports import api as exports_api
from conversations.imports import api as imports_api
from conversations.offering import catalogue
from conversations.requests import (
    CONTENT_CHARACTERS,
    MOST_OF_A_MESSAGE,
    Continue,
    ContinueBody,
    Edit,
    EditBody,
    Id,
    Regenerate,
    RegenerateBody,
    Send,
    SendBody,
    SettingsBody,
    StorableText,
)
from conversations.sharing import api as sharing_api
from conversations.streams import start_and_answer
from streaming import threads
from streaming.conf import conf as streaming_conf


class JsonParser(Parser):
    """Reads a body as a JSON object, or says in the contract's words why not."""

    def parse_body(self, request: HttpRequest) -> Any:
        """Read the body.

        Raises:
            UnsupportedType, BadJson
        """
        if not request.body:
            return {}
        if request.content_type != "application/json":
            raise UnsupportedType
        try:
            body = json.loads(request.body)
        except (ValueError, RecursionError):
            raise BadJson from None
        if not isinstance(body, dict):
            raise BadJson
        return body


class ChatAPI(NinjaAPI):
    """The API; its schema names the stream, too, which is a plain view."""

    def get_openapi_schema(self, **kwargs: Any) -> OpenAPISchema:
        """Return the schema."""
        schema = super().get_openapi_schema(**kwargs)
        schema["paths"][self.get_root_path({}) + "runs/{run_id}/events"] = _EVENTS
        return schema


api = ChatAPI(
    title=conf.product_name(),
    version=conf.product_version(),
    description="Replies that cannot be lost. Streams: see `runs/{run_id}/events`.",
    urls_namespace="holdfast:api",
    auth=signed_in,
    parser=JsonParser(),
)
errors.install(api)
for _part in (
    accounts_api,
    attachments_api,
    exports_api,
    feedback,
    imports_api,
    notices_api,
    prompts_api,
    sharing_api,
    sync_api,
):
    api.add_router("", _part.router)


class ConversationBody(BaseModel):
    """A new conversation."""

    id: Id | None = None
    title: StorableText = Field("", max_length=200)
    model: StorableText | None = Field(None, max_length=200)
    system_prompt: StorableText = Field("", max_length=50_000)
    settings: SettingsBody | None = None


class ConversationChange(BaseModel):
    """What may change; what is left out stays."""

    title: StorableText | None = Field(None, max_length=200)
    model: StorableText | None = Field(None, max_length=200)
    system_prompt: StorableText | None = Field(None, max_length=50_000)
    settings: SettingsBody | None = None
    pinned: bool | None = None
    archived: bool | None = None
    head: Id | None = None


def _user(request: HttpRequest) -> Any:
    return request.auth  # type: ignore[attr-defined]


@api.get("/session", auth=None)
async def session(request: HttpRequest) -> dict[str, Any]:
    """Say who is signed in; sets `csrftoken` where no API key asks."""
    user = await visitor(request)
    if key_of(request) is None:
        get_token(request)
    limits = streaming_conf()
    shape = await sync_to_async(conversing.user_shape)(user) if user.is_authenticated else None
    return {
        "user": shape,
        "limits": {
            "runs_per_user": limits.runs_per_user,
            "heartbeat_seconds": limits.heartbeat_seconds,
            "starts_per_minute": limits.starts_per_minute,
            "message_characters": limits.message_characters or CONTENT_CHARACTERS,
            "tokens_per_day": limits.tokens_per_day,
            "body_bytes": conf.body_bytes(),
            "attachment_bytes": conf.attachment_bytes(),
            "attachments": MOST_OF_A_MESSAGE,
        },
        "guests": conf.guests_allowed(),
    }


@api.get("/models", auth=None)
async def models(request: HttpRequest) -> dict[str, Any]:
    """List the models to choose from."""
    await check_key(request)
    offered = await sync_to_async(catalogue)()
    return {
        "models": [
            {
                "id": model.id,
                "name": model.name,
                "provider": model.provider,
                "capabilities": {
                    "reasoning": model.reasons,
                    "continues": model.continues,
                    "sees": model.sees,
                },
                "default": model is offered.default,
            }
            for model in offered.models.values()
        ]
    }


@api.get("/conversations")
async def list_conversations(
    request: HttpRequest,
    search: str = "",
    before: str = "",
    archived: bool | None = None,
    pinned: bool | None = None,
) -> dict[str, Any]:
    """List conversations, newest first."""
    return await sync_to_async(listing.page)(
        _user(request), search=search, before=before, archived=archived, pinned=pinned
    )


@api.post("/conversations", response={200: dict, 201: dict})
async def create_conversation(request: HttpRequest, payload: ConversationBody) -> Status[Any]:
    """Create a conversation; the same id and body again is answered with what is there."""
    made, shape = await threads.write(
        conversing.create, _user(request).pk, payload.model_dump(exclude={"id"}), payload.id
    )
    return Status(201 if made else 200, shape)


@api.get("/conversations/{uuid:conversation_id}")
async def read_conversation(
    request: HttpRequest, conversation_id: UUID, messages: bool = True
) -> HttpResponse:
    """Read a conversation, with its visible branch unless that is declined."""
    read = conversing.read if messages else conversing.read_alone
    return await _written(request, read, conversation_id)


@api.patch("/conversations/{uuid:conversation_id}")
async def change_conversation(
    request: HttpRequest, conversation_id: UUID, payload: ConversationChange
) -> dict[str, Any]:
    """Rename, pin, archive, set, or show another branch."""
    changes = payload.model_dump(exclude_unset=True)
    return await threads.write(conversing.change, _user(request).pk, conversation_id, changes)


@api.delete("/conversations/{uuid:conversation_id}", response={204: None})
async def delete_conversation(request: HttpRequest, conversation_id: UUID) -> Status[None]:
    """Delete a conversation; its live reply ends first."""
    mine = await sync_to_async(conversing.mine)(_user(request).pk, conversation_id)
    await replies.delete_conversations(mine)
    return Status(204, None)


@api.get("/conversations/{uuid:conversation_id}/messages")
async def list_messages(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """Read the tree: every message; siblings follow from `parent_id`."""
    return await _written(request, conversing.messages, conversation_id)


async def _written(
    request: HttpRequest, read: Callable[[Any, UUID], dict[str, Any]], conversation_id: UUID
) -> HttpResponse:
    """Read, and write the answer in the same thread: thousands of messages hold up the loop."""
    user_id = _user(request).pk

    def write() -> HttpResponse:
        return api.create_response(request, read(user_id, conversation_id), status=200)

    return await sync_to_async(write)()


@api.post("/conversations/{uuid:conversation_id}/messages", response={200: str, 202: dict})
async def send(request: HttpRequest, conversation_id: UUID, payload: SendBody) -> HttpResponseBase:
    """Ask; with `Accept: text/event-stream` the response is the subscription."""
    start = Send(conversation_id=conversation_id, **payload.model_dump())
    return await start_and_answer(request, _user(request), start)


@api.post("/messages/{uuid:message_id}/regenerate", response={200: str, 202: dict})
async def regenerate(
    request: HttpRequest, message_id: UUID, payload: RegenerateBody
) -> HttpResponseBase:
    """Ask for another reply to the same question."""
    start = Regenerate(message_id=message_id, **payload.model_dump())
    return await start_and_answer(request, _user(request), start)


@api.post("/messages/{uuid:message_id}/edit", response={200: str, 202: dict})
async def edit(request: HttpRequest, message_id: UUID, payload: EditBody) -> HttpResponseBase:
    """Ask another version of a question."""
    start = Edit(message_id=message_id, **payload.model_dump())
    return await start_and_answer(request, _user(request), start)


@api.post("/messages/{uuid:message_id}/continue", response={200: str, 202: dict})
async def continue_reply(
    request: HttpRequest, message_id: UUID, payload: ContinueBody
) -> HttpResponseBase:
    """Go on from where a reply ended."""
    start = Continue(message_id=message_id, **payload.model_dump())
    return await start_and_answer(request, _user(request), start)


@api.delete("/messages/{uuid:message_id}", response={204: None})
async def delete_message(request: HttpRequest, message_id: UUID) -> Status[None]:
    """Delete a message with what follows it in its branch."""
    await replies.delete_message(_user(request).pk, message_id)
    return Status(204, None)


@api.post("/runs/{uuid:run_id}/stop", response={200: dict, 202: dict})
async def stop(request: HttpRequest, run_id: UUID) -> HttpResponse:
    """End a reply; 202 while it ends, 200 once it is settled."""
    settled = await replies.stop(_user(request).pk, run_id)
    return JsonResponse({"run_id": run_id, "settled": settled}, status=200 if settled else 202)


_EVENTS: dict[str, Any] = {
    "get": {
        "operationId": "events",
        "summary": "Subscribe to a run, or resume (Server-Sent Events)",
        "parameters": [
            {"in": "path", "name": "run_id", "required": True, "schema": {"type": "string"}},
            {"in": "query", "name": "after", "schema": {"type": "string"}},
            {"in": "header", "name": "Last-Event-ID", "schema": {"type": "string"}},
        ],
        "responses": {
            "200": {"description": "The events", "content": {"text/event-stream": {}}},
            "204": {"description": "The end was seen already"},
            "400": {"description": "bad_cursor"},
            "404": {"description": "not_found"},
        },
    }
}
