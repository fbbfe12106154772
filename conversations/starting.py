"""The start transaction: question, reply and run row, all or nothing."""

from typing import NamedTuple
from uuid import UUID, uuid4

from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from conversations import asking, offering
from conversations.attachments import keeping
from conversations.attachments.reading import Unread
from conversations.exceptions import (
    BadCursorGiven,
    IdReused,
    InvalidField,
    NotFound,
    ReplyInProgress,
    StorageUnavailable,
    UnknownModel,
)
from conversations.limits import admission
from conversations.limits.admission import Starter
from conversations.models import Conversation, Message, Person, new_id
from conversations.outcomes import about, spent_on
from conversations.providers.types import Model, Prompt
from conversations.requests import Continue, Edit, Regenerate, Send, Start, digest
from conversations.sync import announce
from conversations.titling import title_of
from streaming.conf import conf
from streaming.cursor import START, BadCursor, Cursor
from streaming.models import Run
from streaming.outcome import Spent
from streaming.runner import NewRun
from streaming.runs import open_run
from streaming.statements import Fenced
from streaming.transcript import StoredPart

_Status = Message.Status


class Begun(NamedTuple):
    """What a start came to."""

    run_id: UUID
    question_id: UUID
    conversation_id: UUID
    after: Cursor
    """Where a reader of this start begins: the start, or what it has already."""
    new: NewRun | None
    """None where the start attaches to what is there."""
    prompt: Prompt | Unread | None
    provider: str
    said: str = ""
    """Text that the model may repeat before it goes on from it."""


def begin(starter: Starter, start: Start) -> Begun:
    """Write the question, the reply and the run row; inside the caller's transaction.

    The order of the checks is the contract's: the same reply's id first, then the reply in flight,
    then the limits.

    Raises:
        CallerError, NotNow: nothing was written.
    """
    # One start of a person at a time: the checks below read what the one before wrote.
    people = Person.objects.select_for_update().filter(user_id=starter.user_id)
    person = people.first()
    if person is None:
        Person.objects.get_or_create(user_id=starter.user_id)
        person = people.get()
    if isinstance(start, Continue):
        return _reopen(starter, person, start)
    attached = _attach(starter, start)
    if attached is not None:
        return attached
    if isinstance(start, Send | Edit) and start.id is not None and start.id == start.reply_id:
        raise InvalidField(_("reply_id: is the question's id"), field="reply_id")
    conversation = _conversation(starter, start)
    live = _live_runs(starter)
    _refuse_second(conversation.id, live)
    model = _model(start, conversation)
    admission.check_length(start)
    admission.check(starter, person, len(live))
    question = _question(starter, start, conversation)
    branch = asking.branch(question, model)
    prompt = asking.prompt(conversation, model, branch, continued=None)
    reply = Message(
        id=start.reply_id or new_id(),
        conversation=conversation,
        parent=question,
        role=Message.Role.ASSISTANT,
        status=_Status.RUNNING,
        model=model.id,
        provider=model.provider,
        created_at=timezone.now(),
        request_digest=digest(start),
        asked_tokens=asking.estimate(branch, prompt),
    )
    reply.save(force_insert=True)
    _touch(starter, conversation, question, reply)
    return _run(starter, start, reply, prompt, stored=[])


def _attach(starter: Starter, start: Start) -> Begun | None:
    if start.reply_id is None:
        return None
    reply = Message.objects.select_related("conversation").filter(id=start.reply_id).first()
    if reply is None:
        return None
    same = reply.request_digest == digest(start)
    if reply.conversation.owner_id != starter.user_id or not same:
        raise IdReused
    return _attached(reply, START)


def _attached(reply: Message, after: Cursor) -> Begun:
    assert reply.parent_id is not None
    return Begun(
        reply.id, reply.parent_id, reply.conversation_id, after, None, None, reply.provider
    )


def _conversation(starter: Starter, start: Send | Regenerate | Edit) -> Conversation:
    mine = Conversation.objects.of(starter.user_id).select_for_update()
    if isinstance(start, Send):
        found = mine.filter(id=start.conversation_id).first()
    else:
        found = mine.filter(messages__id=start.message_id).first()
    if found is None:
        raise NotFound
    return found


def _live_runs(starter: Starter) -> dict[str, UUID]:
    """Return this person's runs in flight, by their conversations: one statement, two checks."""
    runs = Run.objects.filter(owner_key=str(starter.user_id)).values_list("about", "id")
    return {told["conversation_id"]: run_id for told, run_id in runs}


def _refuse_second(conversation_id: UUID, live: dict[str, UUID]) -> None:
    run_id = live.get(str(conversation_id))
    if run_id is not None:
        raise ReplyInProgress(run_id=str(run_id))


def _model(start: Start, conversation: Conversation) -> Model:
    offered = offering.catalogue()
    if start.model is not None:
        if start.model not in offered.models:
            raise UnknownModel(field="model")
        return offered.models[start.model]
    return offered.get(conversation.model)


def _question(
    starter: Starter, start: Send | Regenerate | Edit, conversation: Conversation
) -> Message:
    if isinstance(start, Send):
        parent = _parent(start, conversation)
        asked = _new_question(start.id, conversation, parent, start.content)
        keeping.enclose(starter.user_id, start.attachments or [], asked)
        return asked
    message = conversation.messages.select_related("parent").get(id=start.message_id)
    if isinstance(start, Edit):
        if message.role != Message.Role.USER:
            raise InvalidField(_("Only a question can be edited."), field="message_id")
        files = keeping.ids_of(message) if start.attachments is None else start.attachments
        if not files and not start.content.strip():
            raise InvalidField(f"content: {gettext('is empty')}", field="content")
        version = _new_question(start.id, conversation, message.parent, start.content)
        keeping.enclose(starter.user_id, files, version)
        return version
    question = message.parent if message.role == Message.Role.ASSISTANT else message
    if question is None or question.role != Message.Role.USER:
        raise InvalidField(_("There is no question to answer."), field="message_id")
    return question


def _parent(start: Send, conversation: Conversation) -> Message | None:
    if start.parent_id is None:
        return conversation.head
    parent = conversation.messages.filter(id=start.parent_id).first()
    if parent is None:
        raise InvalidField(_("There is no such message here."), field="parent_id")
    return parent


def _new_question(
    question_id: UUID | None, conversation: Conversation, parent: Message | None, content: str
) -> Message:
    if question_id is not None and Message.objects.filter(id=question_id).exists():
        raise IdReused(field="id")
    now = timezone.now()
    question = Message(
        id=question_id or new_id(),
        conversation=conversation,
        parent=parent,
        role=Message.Role.USER,
        created_at=now,
        settled_at=now,
    )
    question.take_parts([StoredPart("text", content)])
    question.save(force_insert=True)
    return question


def _touch(starter: Starter, conversation: Conversation, question: Message, reply: Message) -> None:
    conversation.head = reply
    conversation.updated_at = reply.created_at
    changed = ["head", "updated_at"]
    if not conversation.title:
        conversation.title = title_of(question.content or keeping.names_of(question))
        changed.append("title")
    conversation.save(update_fields=changed)
    ids = {"conversation_id": conversation.id}
    announce(
        starter.user_id,
        ("message.created", {**ids, "message_id": question.id}),
        ("conversation.updated", ids),
        ("run.started", {**ids, "run_id": reply.id, "message_id": question.id}),
    )


def _run(
    starter: Starter,
    start: Start,
    reply: Message,
    prompt: Prompt | Unread,
    *,
    stored: list[StoredPart],
    spent: Spent | None = None,
) -> Begun:
    assert reply.parent_id is not None
    new = NewRun(
        run_id=reply.id,
        claim=uuid4(),
        about=about(reply),
        on_disconnect=start.on_disconnect or conf().on_disconnect,
        stored=stored,
        spent=spent or Spent(),
    )
    try:
        open_run(starter.worker_id, new, owner_key=str(starter.user_id))
    except Fenced:
        raise StorageUnavailable from None
    return Begun(
        reply.id, reply.parent_id, reply.conversation_id, START, new, prompt, reply.provider
    )


def _reopen(starter: Starter, person: Person, start: Continue) -> Begun:
    """Re-open a reply that was settled at exactly the cursor that the client names."""
    try:
        after = Cursor.parse(start.after.removesuffix(".end"))
    except BadCursor:
        raise BadCursorGiven(field="after") from None
    reply = (
        Message.objects.of(starter.user_id)
        .select_for_update(of=("self",))
        .select_related("conversation")
        .filter(id=start.message_id)
        .first()
    )
    if reply is None:
        raise NotFound
    if reply.role != Message.Role.ASSISTANT or reply.parent is None:
        raise InvalidField(_("Only a reply can be continued."), field="message_id")
    if reply.status == _Status.RUNNING or reply.cursor != after:
        return _attached(reply, after)
    live = _live_runs(starter)
    _refuse_second(reply.conversation_id, live)
    model = _model(start, reply.conversation) if start.model else _own_model(reply)
    admission.check(starter, person, len(live))
    stored = reply.stored_parts()
    branch = asking.branch(reply.parent, model)
    prompt = asking.prompt(reply.conversation, model, branch, continued=reply.content)
    Message.objects.filter(id=reply.id).update(
        status=_Status.RUNNING,
        reason="",
        retryable=False,
        settled_at=None,
        claim=None,
        counted_characters=None,
        asked_tokens=asking.estimate(branch, prompt),
    )
    ids = {"conversation_id": reply.conversation_id, "run_id": reply.id}
    announce(starter.user_id, ("run.started", {**ids, "message_id": reply.parent_id}))
    begun = _run(starter, start, reply, prompt, stored=stored, spent=spent_on(reply))
    said = "" if model.continues else reply.content
    return begun._replace(after=after, provider=model.provider, said=said)


def _own_model(reply: Message) -> Model:
    return offering.catalogue().get(reply.model)
