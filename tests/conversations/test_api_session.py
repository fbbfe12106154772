"""Who is there, what is offered, and how the server is."""

import json

import pytest
from django.contrib.auth import get_user_model
from django.db import (
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
)
from django.test import RequestFactory
from pytest_django import Settings

from conversations.api import api
from conversations.models import Guest
from streaming import threads, workers
from tests.conftest import Client
from tests.conversations.chatting import asked, converse, error_of, events


async def test_the_session_says_who_is_there_and_gives_a_token(
    alice: Client, charlie: Client
) -> None:
    body = (await alice.ask("GET", "/api/session")).json()
    user = {
        "id": str(alice.user.pk),
        "name": "alice",
        "guest": False,
        "staff": False,
        "password": False,
    }
    assert body["user"] == user
    response = await charlie.ask("GET", "/api/session")
    assert response.json()["user"] is None
    assert "csrftoken" in response.cookies
    assert response.json()["limits"]


async def test_the_models_are_listed_with_a_default(charlie: Client) -> None:
    [model] = (await charlie.ask("GET", "/api/models")).json()["models"]
    assert (model["id"], model["provider"], model["default"]) == ("scripted", "scripted", True)
    assert model["capabilities"] == {"reasoning": True, "continues": True, "sees": False}


async def test_a_visitor_becomes_a_guest_at_the_first_unsafe_request_only(
    charlie: Client, settings: Settings
) -> None:
    settings.ALLOW_GUESTS = True
    for path in ("/api/session", "/api/models", "/api/conversations"):
        await charlie.ask("GET", path)
    assert await threads.read(Guest.objects.count) == 0
    conversation = await converse(charlie)
    run_id = await asked(charlie, conversation, "Hello")
    assert len(await events(charlie, run_id)) >= 3
    user = (await charlie.ask("GET", "/api/session")).json()["user"]
    assert user["guest"] and user["name"] == ""
    assert await threads.read(Guest.objects.count) == 1
    guest = await threads.read(lambda: get_user_model().objects.get(holdfast_guest__isnull=False))
    assert not guest.has_usable_password()


async def test_guests_are_strangers_to_each_other(settings: Settings, charlie: Client) -> None:
    settings.ALLOW_GUESTS = True
    conversation = await converse(charlie)
    other = Client()
    await converse(other)
    response = await other.ask("GET", f"/api/conversations/{conversation}")
    assert error_of(response) == (404, "not_found")


async def test_a_guest_is_not_made_without_the_token(settings: Settings, charlie: Client) -> None:
    settings.ALLOW_GUESTS = True
    strict = Client(enforce_csrf_checks=True)
    response = await strict.ask("POST", "/api/conversations", {})
    assert error_of(response) == (403, "csrf_failed")
    assert await threads.read(Guest.objects.count) == 0
    token = (await strict.ask("GET", "/api/session")).cookies["csrftoken"].value
    response = await strict.ask("POST", "/api/conversations", {}, **{"x-csrftoken": token})
    assert response.status_code == 201


async def test_an_account_that_was_closed_is_nobody(alice: Client) -> None:
    users = get_user_model().objects.filter(pk=alice.user.pk)
    await threads.write(lambda: users.update(is_active=False))
    assert error_of(await alice.ask("GET", "/api/conversations")) == (401, "not_signed_in")


async def test_unknown_paths_of_the_api_are_answered_in_its_words(alice: Client) -> None:
    for path in ("/api/nothing", "/api/conversations/x", "/api/runs/x/events"):
        assert error_of(await alice.ask("GET", path)) == (404, "not_found")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OperationalError, (503, "storage_unavailable")),
        (InterfaceError, (503, "storage_unavailable")),
        (InternalError, (503, "storage_unavailable")),
        (IntegrityError, (500, "internal")),
        (DataError, (500, "internal")),
        (ProgrammingError, (500, "internal")),
        (DatabaseError, (500, "internal")),
    ],
)
def test_only_a_database_that_is_away_is_worth_another_try(
    caplog: pytest.LogCaptureFixture, error: type[Exception], told: tuple[int, str]
) -> None:
    request = RequestFactory().get("/api/conversations")
    response = api.on_exception(request, error("planted"))
    found = json.loads(response.content)["error"]
    assert (response.status_code, found["code"]) == told
    [record] = caplog.records
    assert record.levelname == ("ERROR" if told[0] == 500 else "WARNING")


async def test_health_is_answered_without_io_and_readiness_says_what_is_wrong(
    charlie: Client,
) -> None:
    assert (await charlie.ask("GET", "/healthz")).json()["status"] == "ok"
    ready = (await charlie.ask("GET", "/readyz")).json()["checks"]
    wrong = [name for name, right in ready.items() if not right]
    assert wrong in ([], ["durable"])  # the private PostgreSQL of the tests runs without fsync
    workers.current().begin_drain(seconds=0)
    response = await charlie.ask("GET", "/readyz")
    assert response.status_code == 503
    assert response.json()["checks"]["not_draining"] is False
    assert int(response["Retry-After"]) > 0


async def test_figures_are_for_this_machine_the_staff_and_who_has_the_token(
    alice: Client, charlie: Client, settings: Settings
) -> None:
    elsewhere = {"x-forwarded-for": "203.0.113.9"}
    settings.METRICS_TOKEN = "a-token-for-the-figures"
    assert (await charlie.ask("GET", "/metrics")).status_code == 200
    for client in (alice, charlie):
        refused = await client.ask("GET", "/metrics", **elsewhere)
        assert error_of(refused) == (403, "staff_only")
    for given in ("Bearer a-token", "Bearer ", "a-token-for-the-figures", "Bearer \u00e4"):
        refused = await charlie.ask("GET", "/metrics", authorization=given, **elsewhere)
        assert refused.status_code == 403
    token = {"authorization": "Bearer a-token-for-the-figures", **elsewhere}
    assert (await charlie.ask("GET", "/metrics", **token)).status_code == 200
    users = get_user_model().objects.filter(pk=alice.user.pk)
    await threads.write(lambda: users.update(is_staff=True))
    assert (await alice.ask("GET", "/metrics", **elsewhere)).status_code == 200
    settings.METRICS_TOKEN = ""
    refused = await charlie.ask("GET", "/metrics", authorization="Bearer ", **elsewhere)
    assert refused.status_code == 403


async def test_figures_are_prometheus_text(charlie: Client) -> None:
    lines = (await charlie.ask("GET", "/metrics")).content.decode().splitlines()
    figures = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert float(figures["holdfast_runs_live"]) == 0
    assert float(figures["holdfast_asyncio_tasks"]) > 0


async def test_the_schema_knows_every_path(charlie: Client) -> None:
    paths = (await charlie.ask("GET", "/api/openapi.json")).json()["paths"]
    for path in (
        "/api/conversations",
        "/api/conversations/{conversation_id}/messages",
        "/api/messages/{message_id}/continue",
        "/api/runs/{run_id}/events",
        "/api/runs/{run_id}/stop",
    ):
        assert path in paths
