"""The servers that are compared: how each is started, asked, and looked at from outside."""

import http.client
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from tests.integration.servers import free_port, migrate

ROOT = Path(__file__).resolve().parents[1]
PEERS_PYTHON = ROOT / "benchmarks" / ".venv" / "bin" / "python"
FLAGS = (
    "--lifespan=on",
    "--reset-contextvars",
    "--ws-per-message-deflate=false",
    "--timeout-graceful-shutdown=5",
    "--no-access-log",
    "--log-level=warning",
    "--backlog=4096",
)
"""The same for all."""
CONVERSATIONS_PER_PERSON = 20
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Contender:
    """A way to serve a streamed reply."""

    key: str
    name: str
    application: str
    ours: bool = False
    postgresql: bool = False
    module: str = "uvicorn"

    @property
    def python(self) -> str:
        return sys.executable if self.ours else str(PEERS_PYTHON)


CONTENDERS = (
    Contender("a", "Holdfast, SQLite", "chatproject.asgi:application", ours=True),
    Contender("b", "Holdfast, PostgreSQL", "chatproject.asgi:application", True, True),
    Contender("c", "FastAPI, httpx", "benchmarks.peers.fastapi_httpx:app"),
    Contender("d", "FastAPI, openai, sse-starlette", "benchmarks.peers.fastapi_openai:app"),
    Contender("e", "bare ASGI, aiohttp, nothing stored", "benchmarks.peers.bare_asgi:app"),
)


@dataclass
class Served:
    """A contender's server processes, mostly one, while they are measured."""

    contender: Contender
    ports: list[int]
    """One for each process; they share nothing but the database."""
    pids: list[int]
    database: str
    models: list[str]
    _sites: list[tuple[str, str]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What the table calls it."""
        more = f", {len(self.ports)} workers" if len(self.ports) > 1 else ""
        return self.contender.name + more

    def cpu_seconds(self) -> float:
        """CPU time that the processes have used, user and system."""
        return sum(_cpu_seconds(pid) for pid in self.pids)

    def memory(self) -> int:
        """Resident memory in bytes."""
        pages = (int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self.pids)
        return sum(pages) * _PAGE

    def threads(self) -> int:
        """Threads of the processes."""
        return sum(len(os.listdir(f"/proc/{pid}/task")) for pid in self.pids)

    def connections(self) -> int:
        """Open connections to its database."""
        if self.contender.postgresql:
            with psycopg.connect(self.database, autocommit=True) as connection:
                row = connection.execute(
                    "SELECT count(*) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    " AND backend_type = 'client backend'"  # autovacuum works there, too
                ).fetchone()
                return int(row[0]) if row else 0
        path = self.database.removeprefix("sqlite:///")
        opened = 0
        for entry in (e for pid in self.pids for e in Path(f"/proc/{pid}/fd").iterdir()):
            try:
                opened += os.readlink(entry) == path
            except OSError:
                pass
        return opened

    def requests(self, number: int, model: str) -> list[bytes]:
        """Write requests for so many replies."""
        if not self.contender.ours:
            body = {"conversation_id": "1", "content": "How far is the sea?", "model": model}
            return [_request("/chat", body)] * number
        while len(self._sites) < number:
            self._sites += self._new_person()
        body = {"content": "How far is the sea?", "model": model}
        return [
            _request(f"/api/conversations/{conversation}/messages", body, person)
            for conversation, person in self._in_turn(number)
        ]

    def _in_turn(self, number: int) -> list[tuple[str, str]]:
        """Order the conversations so that people ask by turns, as they do."""
        people = range(CONVERSATIONS_PER_PERSON)
        return [
            site
            for first in people
            for site in self._sites[:number][first::CONVERSATIONS_PER_PERSON]
        ]

    def _new_person(self) -> list[tuple[str, str]]:
        """Sign a guest in; return conversations, each with the headers that open it."""
        client = http.client.HTTPConnection("127.0.0.1", self.ports[0], timeout=30)
        cookies: dict[str, str] = {}

        def ask(method: str, path: str, body: object = None) -> dict[str, str]:
            headers = {"Cookie": "; ".join(f"{k}={v}" for k, v in cookies.items())}
            if body is not None:
                headers |= {"Content-Type": "application/json"}
                headers |= {"X-CSRFToken": cookies["csrftoken"]}
            client.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = client.getresponse()
            for name, value in answer.getheaders():
                if name.lower() == "set-cookie":
                    key, _, rest = value.partition("=")
                    cookies[key] = rest.partition(";")[0]
            found: dict[str, str] = json.loads(answer.read())
            assert answer.status < 300, found
            return found

        ask("GET", "/api/session")
        ids = [
            ask("POST", "/api/conversations", {"model": self.models[0]})["id"]
            for _ in range(CONVERSATIONS_PER_PERSON)
        ]
        client.close()
        cookie = "; ".join(f"{k}={v}" for k, v in cookies.items())
        headers = f"Cookie: {cookie}\r\nX-CSRFToken: {cookies['csrftoken']}\r\n"
        return [(one, headers) for one in ids]


def _request(path: str, body: object, headers: str = "") -> bytes:
    content = json.dumps(body)
    return (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Accept: text/event-stream\r\n{headers}Content-Length: {len(content)}\r\n\r\n{content}"
    ).encode()


@contextmanager
def serving(
    contender: Contender,
    *,
    home: Path,
    database: str,
    upstream_port: int,
    models: list[str],
    workers: int = 1,
) -> Iterator[Served]:
    """Start a contender and end it afterwards; its settings are the defaults."""
    ports = [free_port() for _ in range(workers)]
    home.mkdir(parents=True)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PYTHONPATH": str(ROOT),
        "OPENAI_BASE_URL": f"http://127.0.0.1:{upstream_port}/v1",
        "OPENAI_MODELS": ",".join(models),
        "DATABASE_URL": database,
        "PEER_DATABASE_URL": database.replace("sqlite:///", "sqlite+aiosqlite:///", 1),
        "SECRET_KEY": "benchmark-only-" + "k" * 50,
        "ALLOW_GUESTS": "1",
        "STREAMING_RUN_DIRECTORY": str(home / "run"),
    }
    command = [contender.python, "-m", contender.module, contender.application, *FLAGS]
    log = home / "log"
    processes: list[subprocess.Popen[bytes]] = []
    try:
        with log.open("ab") as output:
            for port in ports:
                started = subprocess.Popen(
                    [*command, f"--port={port}"],
                    cwd=ROOT,
                    env=environment,
                    stdout=output,
                    stderr=output,
                    stdin=subprocess.DEVNULL,
                )
                processes.append(started)
        for port, process in zip(ports, processes, strict=True):
            _wait(port, process, log)
        yield Served(contender, ports, [process.pid for process in processes], database, models)
    except BaseException:  # Ctrl-C too: whoever ends a run that hangs wants to see why
        print(log.read_text()[-3000:], file=sys.stderr)
        raise
    finally:
        for process in processes:
            process.kill()
            process.wait()


def new_database(contender: Contender, home: Path) -> str:
    """Make an empty SQLite database for a contender."""
    home.mkdir(parents=True)
    url = f"sqlite:///{home / 'db.sqlite3'}"
    if contender.ours:
        migrate(url)
    else:
        # Without it the peers lose saves to "database is locked" under these loads.
        with sqlite3.connect(home / "db.sqlite3") as connection:
            connection.execute("PRAGMA journal_mode=WAL")
    return url


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 40
    while True:
        assert process.poll() is None, log.read_text()[-3000:]
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            client.request("GET", "/healthz")
            client.getresponse().read()
            return
        except OSError:
            assert time.monotonic() < deadline, log.read_text()[-3000:]
            time.sleep(0.1)
        finally:
            client.close()
