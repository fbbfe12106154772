"""The one llama.cpp process of a host; run as a script, it imports neither Django nor the chat.

It goes to the background once it holds `server.lock`, so whoever started it may wait for the start
and leaves no child behind. Workers hold `users.lock` shared for as long as they live; when nobody
has held it for a while, the process ends, however the workers died.
"""

import argparse
import contextlib
import fcntl
import json
import os
import secrets
import time
from pathlib import Path

SERVER_LOCK = "server.lock"
USERS_LOCK = "users.lock"
STATE = "state.json"
LOG = "llama.log"

_LOOK_SECONDS = 0.5
_LOCK_TRIES = 5
_LOCK_PAUSE_SECONDS = 0.02
_BATCH_TOKENS = 256  # small, so that a long prompt does not keep the others waiting


def main() -> None:
    """Serve the weights on loopback until nobody wants them."""
    options = _options()
    directory = Path(options.directory)
    server_lock = os.open(directory / SERVER_LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    if not _locks(server_lock):
        return  # another one serves, or is about to
    if os.fork():
        os._exit(0)  # the lock stays with the child
    (directory / STATE).unlink(missing_ok=True)
    key = secrets.token_urlsafe(32)
    server = _serve(options, key)
    _publish(directory / STATE, {"url": server.listening_address, "key": key})
    _wait_until_unused(directory, options.idle_seconds)
    # llama.cpp's threads are not waited for: nobody is served any more.
    os._exit(0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--directory", required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--slots", type=int, required=True)
    parser.add_argument("--context-tokens", type=int, required=True, help="of each slot")
    parser.add_argument("--idle-seconds", type=float, required=True)
    return parser.parse_args()


def _locks(descriptor: int) -> bool:
    for _ in range(_LOCK_TRIES):  # workers that look whether it is held hold it for a moment
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_LOCK_PAUSE_SECONDS)
        else:
            return True
    return False


def _serve(options: argparse.Namespace, key: str):  # type: ignore[no-untyped-def]
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = options.weights
    params.n_parallel = options.slots
    params.n_ctx = options.context_tokens * options.slots
    # Two threads spin on each other: one is faster, and leaves a core to the web server.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.n_batch = params.n_ubatch = _BATCH_TOKENS
    params.n_gpu_layers = 0
    params.cache_ram_mib = 0
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [key]
    params.ui = False
    params.cors_origins = ""
    params.verbosity = 2  # warnings and errors only: no question belongs into a log
    return xllamacpp.Server(params)


def _publish(path: Path, state: dict[str, str]) -> None:
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w") as file:
        json.dump(state, file)
    draft.replace(path)


def _wait_until_unused(directory: Path, idle_seconds: float) -> None:
    """Return with `users.lock` held: nobody can begin to use a server that is about to end."""
    path = directory / USERS_LOCK
    users_lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    unused_since: float | None = None
    while True:
        if not is_same(path, users_lock):
            return  # the directory is gone, and with it all who could find us
        try:
            fcntl.flock(users_lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            unused_since = None
        else:
            unused_since = unused_since or time.monotonic()
            if time.monotonic() - unused_since >= idle_seconds:
                (directory / STATE).unlink(missing_ok=True)
                return
            fcntl.flock(users_lock, fcntl.LOCK_UN)
        time.sleep(_LOOK_SECONDS)


def is_same(path: Path, descriptor: int) -> bool:
    """Say whether an open file is still the one that the path names."""
    with contextlib.suppress(OSError):
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    return False


if __name__ == "__main__":
    main()
