"""Real server processes, each with a private home and an environment of its own."""

import asyncio
import contextlib
import ctypes
import fcntl
import os
import re
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import httpx

from tests.integration.nursery import ROOT, Forked, Nursery

BIN = Path(sys.executable).parent
WARNINGS = ("-W", "default::ResourceWarning")
START_SECONDS = 40.0
GRACEFUL_SECONDS = 8
_LOWEST_PORT = 12_000
_PORTS = 20_000
_given: set[int] = set()

PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH")
"""What a server may inherit; everything else of the developer's environment stays out."""

ERROR = re.compile(
    r"\b(ERROR|CRITICAL)\b"
    r"|Traceback \(most recent call last\)"
    r"|\"level\": ?\"(error|critical)\""
    r"|was never (awaited|retrieved)"
    r"|took too long to shut down"
    r"|Task was destroyed but it is pending"
)


@dataclass
class Server:
    """One server process; `restart` makes another on the same port, home and database."""

    kind: str
    database: str
    env: dict[str, str] = field(default_factory=dict)
    root: Path = ROOT
    application: str = "chatproject.asgi:application"
    port: int = 0
    home: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="holdfast-server-")))
    before: tuple[str, ...] = ()
    """What the command is given to, such as `ip netns exec`; it must become the command."""
    fresh: bool = False
    """Whether Python itself starts anew; else the libraries are there already, see `nursery.py`."""
    process: subprocess.Popen[bytes] | Forked | None = None

    def __post_init__(self) -> None:
        self.port = self.port or free_port()
        self.gates.mkdir(parents=True, exist_ok=True)
        self.log_path.touch()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def trust(self) -> ssl.SSLContext | None:
        """How its certificate is checked, where it speaks TLS."""
        return None

    @property
    def pid(self) -> int:
        assert self.process is not None, "the server was not started"
        return self.process.pid

    @property
    def gates(self) -> Path:
        """Where the scripted provider looks for gate files."""
        return self.home / "gates"

    @property
    def log_path(self) -> Path:
        return self.home / "server.log"

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def log(self, since: int = 0) -> str:
        """What this server and its predecessors on this home wrote, from a byte position on."""
        return self.log_path.read_bytes()[since:].decode(errors="replace")

    def mark(self) -> int:
        """The end of the log, to be given to `log` and `errors` as `since`."""
        return self.log_path.stat().st_size

    def errors(self, since: int = 0) -> list[str]:
        """Lines that report an error or begin a traceback, each with what follows it."""
        lines = self.log(since).splitlines()
        found = [n for n, line in enumerate(lines) if ERROR.search(line)]
        return ["\n".join(lines[n : n + 25]) for n in found]

    def open_gate(self, name: str) -> None:
        (self.gates / name).touch()

    def environment(self) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        ours = {
            "HOME": str(self.home),
            "PYTHONPATH": str(self.root),
            "PYTHONUNBUFFERED": "1",
            "DJANGO_SETTINGS_MODULE": "chatproject.settings",
            "DATABASE_URL": self.database,
            "DEBUG": "1" if self.kind == "runserver" else "0",
            "SECRET_KEY": "integration-tests-only-" + "k" * 40,
            "ALLOW_GUESTS": "1",
            "ALLOW_SIGNUP": "1",
            "EMAIL_URL": f"filemail:///{self.home / 'mail'}",
            "CHAT_SCRIPTED": "1",
            "CHAT_SCRIPTED_GATES": str(self.gates),
            "MEDIA_ROOT": str(self.home / "media"),
            "STREAMING_RUN_DIRECTORY": str(self.home / "run"),
            "STREAMING_RUNS_PER_USER": "0",
            "STREAMING_RUNS_PER_WORKER": "0",
            "STREAMING_STARTS_PER_MINUTE": "0",
            "STREAMING_TOKENS_PER_DAY": "0",
            "STREAMING_DRAIN_SECONDS": "1",
        }
        return inherited | ours | self.env

    def spawn(self) -> None:
        """Start the process and return at once."""
        assert not self.alive, "the server runs already"
        python, *command = self._command()
        fresh = self.fresh or self.before
        forks = sys.platform == "linux" and not fresh and command[0] == "-m"
        with self.log_path.open("ab") as log:
            if forks and self.root == ROOT:
                module, arguments = command[1], command[2:]
                self.process = _nursery().run(module, arguments, self.environment(), log.fileno())
                return
            self.process = subprocess.Popen(
                [*self.before, python, *WARNINGS, *command],
                cwd=self.root,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )

    async def start(self) -> "Server":
        """Start the process and wait for its first healthy answer."""
        self.spawn()
        await self.wait_healthy()
        return self

    async def wait_healthy(self, seconds: float = START_SECONDS) -> None:
        async def is_healthy() -> bool:
            assert self.alive, f"{self.kind} died at its start:\n{self.log()[-4000:]}"
            return await answers(self.port, "/healthz")

        await eventually(is_healthy, seconds, lambda: f"no healthy answer:\n{self.log()[-4000:]}")

    def kill(self) -> None:
        """End the process as a power switch would: SIGKILL, nothing runs afterwards."""
        self._signal(signal.SIGKILL)
        assert self.process is not None
        self.process.wait(10)

    def term(self) -> None:
        """Ask the process to end; returns at once."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)

    async def exited(self, seconds: float = 25.0) -> int:
        """Wait for the process to be gone and give its exit code."""
        assert self.process is not None
        process = self.process
        await eventually(
            lambda: process.poll() is not None,
            seconds,
            lambda: f"{self.kind} still runs after {seconds} s:\n{self.log()[-4000:]}",
        )
        return int(process.returncode)

    async def terminate(self, seconds: float = 25.0) -> int:
        """SIGTERM, then the exit code."""
        self.term()
        return await self.exited(seconds)

    async def restart(self) -> None:
        """Start again on the same port and database; the old process must be gone."""
        await self.start()

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def discard(self) -> None:
        """End whatever is left of the process and remove its home."""
        if self.process is not None:
            self._signal(signal.SIGKILL)
            self.process.wait(10)
        shutil.rmtree(self.home, ignore_errors=True)

    def _signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def _command(self) -> list[str]:
        python = [sys.executable]
        port = str(self.port)
        uvicorn = [*python, "-m", "uvicorn", self.application, "--host", "127.0.0.1"]
        uvicorn += ["--port", port, "--lifespan", "on", "--reset-contextvars"]
        uvicorn += ["--ws-per-message-deflate", "false"]
        uvicorn += ["--timeout-graceful-shutdown", str(GRACEFUL_SECONDS)]
        match self.kind:
            case "uvicorn":
                return [*uvicorn, "--loop", "uvloop", "--http", "httptools"]
            case "uvicorn-asyncio":
                return [*uvicorn, "--loop", "asyncio", "--http", "h11"]
            case "daphne":
                return [*python, "-m", "daphne", "-b", "127.0.0.1", "-p", port, self.application]
            case "gunicorn":
                settings = str(self.root / "deploy" / "gunicorn.conf.py")
                gunicorn = [*python, "-m", "gunicorn", self.application, "-c", settings]
                return [*gunicorn, "--bind", f"127.0.0.1:{port}"]
            case "runserver":
                return [*python, "manage.py", "runserver", f"127.0.0.1:{port}"]
            case _:
                raise ValueError(f"no such kind of server: {self.kind}")


async def eventually(
    claim: Callable[[], object],
    seconds: float,
    message: str | Callable[[], str] = "it did not become true in time",
    *,
    every_seconds: float = 0.02,
) -> float:
    """Wait until a claim (plain or async) is true and give the seconds it took.

    Raises:
        AssertionError: with the message, after `seconds`.
    """
    loop = asyncio.get_running_loop()
    begun = loop.time()
    while True:
        held = claim()
        if asyncio.iscoroutine(held):
            held = await held
        passed = loop.time() - begun
        if held:
            return passed
        if passed > seconds:
            text = message if isinstance(message, str) else message()
            raise AssertionError(f"after {passed:.1f} s: {text}")
        await asyncio.sleep(every_seconds)


def manage(*arguments: str, env: Mapping[str, str], root: Path = ROOT) -> str:
    """Run a management command in a server's environment and give what it printed."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=root,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, f"manage.py {arguments}: {done.stdout}\n{done.stderr}"
    return done.stdout


def migrate(database: str) -> None:
    """Make the tables of an empty database."""
    server = Server(kind="uvicorn", database=database)
    try:
        manage("migrate", "--verbosity", "0", env=server.environment())
    finally:
        server.discard()


def free_port() -> int:
    """Give a port that is free and stays so until its server is there, and while it is restarted.

    The kernel's own choice comes from the range that it takes for the near ends of connections, of
    which other tests open thousands meanwhile. Processes that run side by side share one file, in
    which each locks the byte of every port that it was given, to its own end.
    """
    claims = _claims()
    while True:
        port = _LOWEST_PORT + secrets.randbelow(_PORTS)
        if port in _given:
            continue
        with socket.socket() as sock, contextlib.suppress(OSError):
            fcntl.lockf(claims, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
            _given.add(port)
            sock.bind(("127.0.0.1", port))
            return port


@cache
def _claims() -> int:
    # Opened once: to close any descriptor of the file would give up all locks.
    path = Path(tempfile.gettempdir()) / f"holdfast-ports-{os.getuid()}"
    return os.open(path, os.O_CREAT | os.O_RDWR, 0o600)


def copy_of_project(target: Path) -> Path:
    """Copy what a server needs, so that a test may touch its files."""
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc", "node_modules")
    for name in ("chatproject", "conversations", "streaming"):
        shutil.copytree(ROOT / name, target / name, ignore=ignored)
    shutil.copy(ROOT / "manage.py", target / "manage.py")
    return target


async def answers(port: int, path: str, *, host: str = "127.0.0.1") -> bool:
    """Whether a server on this port answers 200 for a path."""
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    try:
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        async with asyncio.timeout(5):
            return b" 200 " in await reader.readline()
    except (OSError, TimeoutError):
        return False
    finally:
        writer.close()


async def is_ready(server: Server) -> bool:
    """Whether a worker should get requests; the tests' clusters need not outlive a power loss."""
    async with httpx.AsyncClient(base_url=server.url) as client:
        try:
            checks = (await client.get("/readyz")).json()["checks"]
        except httpx.HTTPError:
            return False
    return all(held for name, held in checks.items() if name != "durable")


@cache
def _nursery() -> Nursery:
    inherited = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return Nursery([sys.executable, *WARNINGS], inherited | {"PYTHONUNBUFFERED": "1"})


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
