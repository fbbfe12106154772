"""How the end of a run becomes a settled message."""

from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from conversations.models import Conversation, Message, Person
from conversations.recorder import MessageRecorder
from streaming.outcome import Outcome, Usage, completed, interrupted
from streaming.recorder import Settlement, recorder
from streaming.transcript import StoredPart
from tests.streaming.production import new_run

PARTS = [StoredPart("reasoning", "hm"), StoredPart("text", "Holdfast")]

pytestmark = pytest.mark.django_db


def save(run_id: object, outcome: Outcome) -> bool:
    return MessageRecorder().save(run_id, Settlement(outcome, PARTS, uuid4()))  # type: ignore[arg-type]


def test_the_project_s_recorder_is_this_one() -> None:
    assert isinstance(recorder(), MessageRecorder)


def test_what_is_saved_is_loaded() -> None:
    new = new_run(uuid4())
    outcome = Outcome(
        status="completed", reason="stop", usage=Usage(3, 5), first_token_ms=7, duration_ms=9
    )
    claim = uuid4()
    assert MessageRecorder().save(new.run_id, Settlement(outcome, PARTS, claim))
    found = MessageRecorder().load(new.run_id)
    assert found is not None
    assert (found.outcome, found.parts, found.claim) == (outcome, PARTS, claim)
    assert found.about["conversation_id"] == new.about["conversation_id"]


def test_a_running_reply_cannot_be_loaded_and_a_settled_one_not_saved() -> None:
    new = new_run(uuid4())
    assert MessageRecorder().load(new.run_id) is None
    assert save(new.run_id, completed("stop"))
    assert not save(new.run_id, interrupted("shutdown"))
    assert Message.objects.get(id=new.run_id).status == "completed"


def test_a_reply_that_is_gone_is_no_error() -> None:
    new = new_run(uuid4())
    Conversation.objects.all().delete()
    assert save(new.run_id, completed("stop")) is False
    assert MessageRecorder().load(new.run_id) is None


def test_a_taker_knows_no_measures_and_leaves_what_is_there() -> None:
    new = new_run(uuid4())
    Message.objects.filter(id=new.run_id).update(first_token_ms=7, input_tokens=3, output_tokens=5)
    save(new.run_id, interrupted("worker_lost"))
    reply = Message.objects.get(id=new.run_id)
    assert (reply.first_token_ms, reply.input_tokens, reply.output_tokens) == (7, 3, 5)


def test_an_end_raises_the_owner_s_revision_and_the_conversation() -> None:
    new = new_run(uuid4())
    before = Person.objects.get().revision
    touched = Conversation.objects.get().updated_at
    save(new.run_id, completed("stop"))
    assert Person.objects.get().revision > before
    assert Conversation.objects.get().updated_at > touched


@pytest.mark.parametrize(
    "change",
    [
        {"status": "completed"},  # without settled_at
        {"status": "odd"},
        {"settled_at": timezone.now()},  # while running
        {"role": "user"},  # a question in flight
        {"role": "odd"},
        {"output_tokens": -1},
    ],
)
def test_the_database_refuses_what_no_reply_can_be(change: dict[str, object]) -> None:
    new = new_run(uuid4())
    with pytest.raises(IntegrityError), transaction.atomic():
        Message.objects.filter(id=new.run_id).update(**change)


def test_the_database_refuses_two_replies_in_flight() -> None:
    new = new_run(uuid4())
    with pytest.raises(IntegrityError), transaction.atomic():
        Message.objects.create(
            conversation_id=new.about["conversation_id"],
            role="assistant",
            status="running",
            created_at=timezone.now(),
        )
