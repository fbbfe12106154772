"""`manage.py serve`, which `make run` starts: ready at once, one child, no strays."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.integration.databases import SQLite
from tests.integration.servers import Server, copy_of_project, eventually

ServeProcess = subprocess.Popen[bytes]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A copy of the project, so that a test has a `.local` of its own and may touch files."""
    return copy_of_project(tmp_path)


@pytest.fixture
def server(home: Path, sqlite: SQLite) -> Iterator[Server]:
    """Where the server will listen and what its environment is; it is not started."""
    described = Server(kind="runserver", database=sqlite.new(), root=home)
    yield described
    described.discard()


@pytest.fixture
def serve(server: Server) -> Iterator[ServeProcess]:
    with server.log_path.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "serve", f"127.0.0.1:{server.port}"],
            cwd=server.root,
            env=server.environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # Whoever starts the tests in the background of a shell leaves SIGINT ignored.
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.default_int_handler),
        )
    server.process = process
    yield process


def _group(pid: int) -> list[int]:
    """Processes of the session that `pid` leads, except those that only wait to be reaped."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(") ")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        if int(fields[2]) == pid and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


async def test_serve_prepares_the_database_and_answers(
    server: Server, serve: ServeProcess, home: Path
) -> None:
    await server.wait_healthy()
    with urllib.request.urlopen(f"{server.url}/api/session") as response:
        assert json.load(response)["user"] is None
    assert f"http://127.0.0.1:{server.port}/" in server.log()
    password = (home / ".local" / "admin-password").read_text().strip()
    assert f"admin / {password}" in server.log()
    assert len(_group(serve.pid)) == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_serve_ends_with_its_child_and_without_a_traceback(
    server: Server, serve: ServeProcess, number: signal.Signals
) -> None:
    await server.wait_healthy()
    if number == signal.SIGINT:
        os.killpg(serve.pid, number)  # as a terminal does
    else:
        os.kill(serve.pid, number)
    assert await server.exited() == 0
    assert _group(serve.pid) == []
    assert server.errors() == []


async def test_a_saved_file_starts_the_child_again(
    server: Server, serve: ServeProcess, home: Path
) -> None:
    await server.wait_healthy()
    before = set(_group(serve.pid))

    def has_another_child() -> bool:
        # Again and again: the reloader compares with what it saw first, up to a second later.
        (home / "chatproject" / "urls.py").touch()
        now = set(_group(serve.pid))
        return serve.pid in now and len(now) == 2 and now != before

    await eventually(has_another_child, 30, server.log)
    await server.wait_healthy()


async def test_serve_names_who_holds_the_port(server: Server, serve: ServeProcess) -> None:
    await server.wait_healthy()
    second = subprocess.run(
        [sys.executable, "manage.py", "serve", f"127.0.0.1:{server.port}"],
        cwd=server.root,
        env=server.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode != 0
    match = re.search(rf"Port {server.port} is taken by process (\d+): .*manage.py", second.stderr)
    assert match
    assert int(match[1]) in _group(serve.pid)
