"""Traces and reports of errors: what they tell, and that they tell nothing of what people say."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sentry_sdk.transport import Transport

from chatproject import observability
from conversations import replies
from conversations.requests import Send
from streaming import facts, tracing
from streaming.access import AccessLog
from tests.conftest import Client, Settings
from tests.conversations.chatting import asked, converse, events, script
from tests.waiting import until

SAID = "my diary of the harbour"
ANSWERED = "what the model made of it"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    observability.trace(SimpleSpanProcessor(exporter))
    yield exporter
    tracing.install(None)


async def test_a_reply_is_one_trace_from_the_request_to_its_settlement(
    alice: Client, spans: InMemorySpanExporter
) -> None:
    conversation = await converse(alice)
    question = script({"said": SAID, "text": ANSWERED})

    async def app(scope: Any, receive: Any, send: Any) -> None:
        start = Send(conversation_id=conversation, content=question)  # type: ignore[arg-type]
        begun = await replies.start(alice.user.pk, start)
        facts.note(run_id=begun.run_id)
        await send({"type": "http.response.start", "status": 202, "headers": []})
        await events(alice, str(begun.run_id))

    async def send(message: Any) -> None:
        pass

    path = f"/api/conversations/{conversation}/messages"
    scope = {"type": "http", "method": "POST", "path": path, "headers": []}
    await AccessLog(app)(scope, None, send)
    await until(lambda: "run" in {one.name for one in spans.get_finished_spans()})
    found = {one.name: one for one in spans.get_finished_spans()}
    assert set(found) == {"request", "start", "run", "upstream", "settle", "commit"}
    parents = {"start": "request", "run": "start", "upstream": "run", "settle": "run"}
    for child, parent in parents.items():
        assert found[child].parent.span_id == found[parent].context.span_id, child
    assert found["request"].attributes["holdfast.status"] == "202"
    assert found["run"].attributes["holdfast.outcome"] == "completed"
    ids = {found[name].attributes["holdfast.run_id"] for name in ("request", "start", "run")}
    assert len(ids) == 1
    told = "".join(one.to_json() for one in spans.get_finished_spans())
    assert SAID not in told and ANSWERED not in told and "alice" not in told


async def test_a_failure_is_in_the_trace_without_its_words(
    alice: Client, spans: InMemorySpanExporter
) -> None:
    await asked(alice, await converse(alice), script({"raise": SAID}))
    await until(lambda: "run" in {one.name for one in spans.get_finished_spans()})
    [run] = [one for one in spans.get_finished_spans() if one.name == "run"]
    assert run.attributes["holdfast.reason"] == "internal"
    assert SAID not in "".join(one.to_json() for one in spans.get_finished_spans())


def test_without_a_tracer_a_span_is_nothing() -> None:
    assert tracing.span("a") is tracing.span("b", run_id=1)
    assert tracing.here() is None
    with tracing.span("a") as opened:
        tracing.add(opened, status=200)


class Kept(Transport):
    """Keeps what would be sent."""

    events: list[Any] = []

    def capture_envelope(self, envelope: Any) -> None:
        event = envelope.get_event()
        if event is not None:
            self.events.append(event)


@pytest.fixture
def reported() -> Iterator[list[Any]]:
    Kept.events.clear()
    observability.report_errors("https://public@sentry.invalid/1", transport=Kept)
    yield Kept.events
    sentry_sdk.init()


def test_what_is_logged_as_an_error_is_reported_with_its_place_alone(
    reported: list[Any], settings: Settings
) -> None:
    facts.begin(request_id="abcdefgh", user_id=7)
    logger = logging.getLogger("streaming.test")
    request = {"body": SAID, "cookies": {"sessionid": "abcdefghijklmnop"}}
    try:
        content = SAID + " in a local variable"
        raise ValueError("\n".join(["refused", "DETAIL: " + content]))
    except ValueError:
        logger.exception("%s failed", "/s/" + "t" * 43, extra={"request": request})
    logger.error("Authorization: Bearer abcdefghijklmnop")
    logger.warning("no error")
    facts.begin()
    first, second = reported
    assert first["tags"] == {"request_id": "abcdefgh", "user_id": "7"}
    assert first["logentry"]["message"] == "/s/tttt… failed"
    [raised] = first["exception"]["values"]
    assert (raised["type"], raised["value"]) == ("ValueError", "refused")
    assert raised["stacktrace"]["frames"][-1]["function"].startswith("test_what_is_logged")
    for event in reported:
        told = repr({**event, "exception": raised["value"]})
        for private in (SAID, "abcdefghijklmnop", "ttttt"):
            assert private not in told
        assert "request" not in event and "user" not in event and not event.get("extra")
    assert "vars" not in repr(first["exception"])
    assert "Bearer [secret]" in second["logentry"]["message"]


async def test_nothing_is_sent_where_nothing_is_set(settings: Settings) -> None:
    settings.OTEL_EXPORTER_OTLP_ENDPOINT = settings.SENTRY_DSN = ""
    observability.begin()
    assert tracing.here() is None
    assert not sentry_sdk.get_client().dsn
    await observability.close()
