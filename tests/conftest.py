"""Fixtures that every test may use."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.db import connection, connections
from django.test import AsyncClient
from django.utils import timezone
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from pytest_django import DjangoDbBlocker, Settings

from streaming import threads, workers
from streaming.workers import LocalWorker
from tests.database import empty_tables
from tests.integration.servers import free_port
from tests.redis_server import RedisServer

# A machine that stands still for a moment says nothing of what it is asked about.
hypothesis_settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("unhurried")

MakeWorker = Callable[[], Awaitable[LocalWorker]]
SetStreaming = Callable[..., None]


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    """A private Redis; a test that stops it starts it again."""
    server = RedisServer(free_port())
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session", autouse=True)
def quick_settings() -> None:
    """Spare the tests what costs time and is not ours to test.

    Passwords are hashed as cheaply as can be. Static files are found when they are asked for: each
    test client makes the middleware anew, which reads all of them otherwise.
    """
    from django.conf import settings

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.WHITENOISE_AUTOREFRESH = True


@pytest.fixture
def transactional_db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Give a test the real database, and empty it afterwards.

    In place of pytest-django's, which flushes all tables and announces a migration each time.
    """
    with django_db_blocker.unblock():
        yield
        empty_tables()
        connections.close_all()


@pytest.fixture
def set_streaming(settings: Settings, tmp_path: Path) -> SetStreaming:
    """Set keys of `STREAMING` for one test; those not named are quick and generous."""
    kept = {
        "RECORDER": "conversations.recorder.MessageRecorder",
        "RUN_DIRECTORY": str(tmp_path / "workers"),
        "STARTS_PER_MINUTE": 0,
        "STARTS_PER_MINUTE_PER_ADDRESS": 0,
        "TOKENS_PER_DAY": 0,
        "POLL_INTERVAL_MS": 20,
        "LEASE_SECONDS": 15,
    }

    def change(**keys: Any) -> None:
        kept.update(keys)
        settings.STREAMING = dict(kept)

    change()
    return change


@pytest.fixture
def providers(settings: Settings, tmp_path: Path) -> Path:
    """Offer the scripted model alone; returns the directory of its gates."""
    gates = tmp_path / "gates"
    gates.mkdir()
    settings.CHAT_PROVIDERS = {
        "scripted": {
            "BACKEND": "conversations.providers.scripted.ScriptedProvider",
            "OPTIONS": {"gate_directory": str(gates)},
        }
    }
    return gates


@pytest.fixture
async def database_threads(
    transactional_db: None, set_streaming: SetStreaming
) -> AsyncIterator[None]:
    """Let a test use the real database threads; their connections are given back."""
    yield
    await threads.close_connections()
    await sync_to_async(connections.close_all)()


@pytest.fixture
async def make_worker(database_threads: None) -> AsyncIterator[MakeWorker]:
    """Make workers of this process; each is drained when the test is over."""
    made: list[LocalWorker] = []

    async def make() -> LocalWorker:
        worker = LocalWorker()
        made.append(worker)
        worker.begin()
        await worker.registered.wait()
        return worker

    yield make
    for worker in made:
        worker.begin_drain(seconds=0)
        await worker.drained()


@pytest.fixture
async def worker(make_worker: MakeWorker) -> LocalWorker:
    """A registered worker."""
    return await make_worker()


@pytest.fixture
async def current_worker(database_threads: None) -> AsyncIterator[LocalWorker]:
    """The worker of this process, as requests find it."""
    workers.forget()  # where a test before this one was cut short
    worker = workers.current()
    await worker.registered.wait()
    yield worker
    worker.begin_drain(seconds=0)
    await worker.drained()
    workers.forget()


@pytest.fixture
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no time pass, as far as Django's clock tells."""
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now)


@pytest.fixture
def impatient_database() -> Iterator[None]:
    """Let statements wait for a lock for a moment only."""
    options: dict[str, Any] = connection.settings_dict["OPTIONS"]
    before = dict(options)
    if connection.vendor == "sqlite":
        options["timeout"] = 0.1
    else:
        options["options"] = "-c lock_timeout=100"
        connection.close()
        connection.close_pool()
    yield
    options.clear()
    options.update(before)
    if connection.vendor == "postgresql":
        connection.close()
        connection.close_pool()


class Client(AsyncClient):
    """A browser that speaks JSON, signed in as somebody or nobody."""

    user: Any = None

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Make a request, with a JSON body if one is given."""
        given: dict[str, Any] = {}
        if method != "GET":
            # Without a type Django's client would write an empty form.
            given = {"data": b"" if body is None else body, "content_type": "application/json"}
        return await getattr(self, method.lower())(path, headers=headers, **given)


@pytest.fixture
async def clients(
    current_worker: LocalWorker, providers: Path
) -> Callable[[str], Awaitable[Client]]:
    """Sign people in by name; an empty name is nobody."""

    async def make(name: str) -> Client:
        client = Client()
        if name:
            client.user = await threads.write(get_user_model().objects.create_user, name)
            await client.aforce_login(client.user)
        return client

    return make


@pytest.fixture
async def alice(clients: Callable[[str], Awaitable[Client]]) -> Client:
    """She owns what the tests are about."""
    return await clients("alice")


@pytest.fixture
async def bob(clients: Callable[[str], Awaitable[Client]]) -> Client:
    """He is signed in, too, and owns nothing of hers."""
    return await clients("bob")


@pytest.fixture
async def charlie(clients: Callable[[str], Awaitable[Client]]) -> Client:
    """He is not signed in."""
    return await clients("")
