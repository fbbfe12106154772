"""The projects of somebody else's, migrated once for all tests."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.embedding.hosts import EMAIL, PASSWORD, Host, ModelServer
from tests.integration.servers import free_port

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents and item.path.name != "test_doc.py":
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A project with users of its own, which has both apps."""
    host = Host("shop", tmp_path_factory.mktemp("hosts"), "conversations", "streaming")
    host.env["SHOP_MODEL_URL"] = f"http://127.0.0.1:{free_port()}/say"
    host.shell(f"""
call_command("migrate", verbosity=0)
from accounts.models import Account
Account.objects.create_superuser({EMAIL!r}, {PASSWORD!r})
""")
    yield host
    host.close()


@pytest.fixture
async def model_server(shop: Host) -> AsyncIterator[ModelServer]:
    """The shop's upstream, at the address in its settings."""
    server = ModelServer()
    await server.start(urlsplit(shop.env["SHOP_MODEL_URL"]).port or 0)
    yield server
    await server.close()


@pytest.fixture(scope="session")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """A project that has `streaming` alone."""
    host = Host("notes", tmp_path_factory.mktemp("hosts"), "streaming")
    host.shell(f"""
call_command("migrate", verbosity=0)
from django.contrib.auth.models import User
User.objects.create_superuser("writer", {EMAIL!r}, {PASSWORD!r})
""")
    yield host
    host.close()
