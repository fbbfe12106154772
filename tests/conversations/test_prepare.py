"""What `make run` does before it serves."""

import io
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command

pytestmark = pytest.mark.django_db


@pytest.fixture
def home(tmp_path: Path, settings) -> Path:
    settings.BASE_DIR = tmp_path
    settings.DEBUG = True
    return tmp_path


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def _output(*command: str) -> str:
    out = io.StringIO()
    call_command(*command, stdout=out)
    return out.getvalue()


def test_the_printed_password_signs_the_admin_in(home: Path) -> None:
    output = _output("ensure_dev_admin")
    password = (home / ".local" / "admin-password").read_text().strip()
    assert password in output
    admin = authenticate(username="admin", password=password)
    assert admin is not None
    assert admin.is_staff
    assert admin.is_superuser


def test_the_password_stays_the_same_and_belongs_to_one_user_only(home: Path) -> None:
    assert _output("ensure_dev_admin") == _output("ensure_dev_admin")
    mode = stat.S_IMODE((home / ".local" / "admin-password").stat().st_mode)
    assert mode == 0o600


def test_a_development_admin_is_refused_without_debug(home: Path, settings) -> None:
    settings.DEBUG = False
    with pytest.raises(CommandError, match="DEBUG=1"):
        _output("ensure_dev_admin")
    assert authenticate(username="admin", password="") is None
    assert not (home / ".local" / "admin-password").exists()


def test_prepare_says_the_url_and_does_not_wait_for_an_answer(home: Path, free_port: int) -> None:
    output = _output("prepare", f"127.0.0.1:{free_port}")
    assert f"http://127.0.0.1:{free_port}/" in output
    assert "make_sample_data" in output


def test_prepare_names_the_holder_of_a_busy_port(home: Path, busy_port: int) -> None:
    with pytest.raises(CommandError, match=rf"Port {busy_port} is taken by process \d+: .*py"):
        _output("prepare", f"127.0.0.1:{busy_port}")


@pytest.mark.parametrize("address", ["8000", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:0"])
def test_prepare_refuses_what_is_no_address(home: Path, address: str) -> None:
    with pytest.raises(CommandError, match="is not host:port"):
        _output("prepare", address)
