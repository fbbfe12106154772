"""Server processes out of one that has imported the libraries: half of a start is spared.

python -m tests.integration.nursery SOCKET    answers `Nursery`, below; EOF ends it and its children

A child is a process of its own, with its session, its environment and an interpreter that ends as
any other; only third-party modules that need no settings are there before it begins.
"""

import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LIBRARIES = (
    "uvicorn.main",
    "uvicorn.lifespan.on",
    "uvicorn.loops.uvloop",
    "uvicorn.protocols.http.h11_impl",
    "uvicorn.protocols.http.httptools_impl",
    "websockets.legacy.server",
    "django.contrib.admin",
    "django.contrib.staticfiles.finders",
    "django.core.handlers.asgi",
    "django.core.management",
    "django.db.backends.sqlite3.base",
    "django.test",
    "environ",
    "whitenoise.middleware",
    "pydantic.json_schema",
    "pydantic.types",
    "aiohttp",
    "httpx",
    "httpx_aiohttp",
    "psycopg_pool",
    "channels.routing",
    "PIL.Image",
    "PIL.ImageOps",
    "PIL.JpegImagePlugin",
    "PIL.PngImagePlugin",
    "django.contrib.auth.hashers",
    "django.contrib.sessions.middleware",
    "limits.aio.storage",
    "limits.aio.strategies",
    "msgspec.json",
    "structlog.dev",
    "structlog.stdlib",
    "twisted.internet.asyncioreactor",
    "autobahn.twisted.websocket",
)
ROOT = Path(__file__).resolve().parents[2]
_DIES_WITH_PARENT = 1


class Forked:
    """A child of the nursery, as `subprocess.Popen` would give it."""

    def __init__(self, nursery: "Nursery", pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._nursery = nursery
        self._handle = os.pidfd_open(pid)

    def poll(self) -> int | None:
        return self._look(0)

    def wait(self, timeout: float) -> int:
        found = self._look(timeout)
        if found is None:
            raise subprocess.TimeoutExpired(f"pid {self.pid}", timeout)
        return found

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def _look(self, timeout: float) -> int | None:
        if self.returncode is None:
            ended = select.poll()
            ended.register(self._handle, select.POLLIN)
            if ended.poll(timeout * 1000):
                self.returncode = self._nursery.ask({"reap": self.pid})
                os.close(self._handle)
        return self.returncode


class Nursery:
    """The process that forks, seen from the tests."""

    def __init__(self, python: Sequence[str], environment: Mapping[str, str]) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [*python, "-m", "tests.integration.nursery", str(theirs.fileno())],
                cwd=ROOT,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def run(
        self, module: str, arguments: Sequence[str], environment: Mapping[str, str], log: int
    ) -> Forked:
        """Run a module as `python -m` does; `log` is the descriptor of its output."""
        pid = self.ask({"run": [module, *arguments], "environment": dict(environment)}, log)
        return Forked(self, pid)

    def ask(self, request: dict[str, Any], *descriptors: int) -> int:
        socket.send_fds(self._socket, [json.dumps(request).encode()], list(descriptors))
        return int(self._socket.recv(100))


@dataclass(frozen=True)
class Order:
    """What a child is to become."""

    command: list[str]
    environment: dict[str, str]
    log: int


def main() -> None:
    """Fork for every `run` until nobody asks any more."""
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        for name in LIBRARIES:
            importlib.import_module(name)
        gc.collect()
        gc.freeze()
        order = _serve(connection, os.getpid())
    if order is not None:
        _become(order)


def _serve(connection: socket.socket, nursery: int) -> Order | None:
    """Answer requests; a child returns with its order, the nursery with none."""
    while True:
        message, descriptors, _, _ = socket.recv_fds(connection, 2**17, 1)
        if not message:
            return None
        request = json.loads(message)
        if "reap" in request:
            _, status = os.waitpid(request["reap"], 0)
            connection.send(str(os.waitstatus_to_exitcode(status)).encode())
        elif os.fork():
            os.close(descriptors[0])
        else:
            os.setsid()
            ctypes.CDLL(None).prctl(_DIES_WITH_PARENT, signal.SIGKILL)
            # From here on, its group can be signalled.
            connection.send(str(os.getpid()).encode())
            gone = os.getppid() != nursery
            return None if gone else Order(request["run"], request["environment"], *descriptors)


def _become(order: Order) -> None:
    for output in (1, 2):
        os.dup2(order.log, output)
    os.close(order.log)
    os.environ.clear()
    os.environ.update(order.environment)
    time.tzset()
    sys.argv = order.command
    runpy.run_module(order.command[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
