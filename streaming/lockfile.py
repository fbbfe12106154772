"""A lock file tells the other processes of this host whether a worker is alive."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import Literal
from uuid import UUID


class LockFile:
    """Held by a worker for its life; the kernel lets go of it however the process ends."""

    def __init__(self, directory: str, worker_id: UUID) -> None:
        self._path = _path(directory, worker_id)
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise

    def release(self) -> None:
        """Give it up and remove the file, where it can be removed."""
        with suppress(OSError):
            self._path.unlink()
        os.close(self._file)


def look(directory: str, worker_id: UUID) -> Literal["alive", "dead", "unknown"]:
    """Say whether a worker lives on this host: a file that can be locked has no owner.

    No file means another host, or nothing: only its beat can tell.
    """
    try:
        file = os.open(_path(directory, worker_id), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return "unknown"
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return "alive"
    except OSError:
        return "unknown"
    else:
        return "dead"
    finally:
        os.close(file)


def remove(directory: str, worker_id: UUID) -> None:
    """Remove the file of a dead worker."""
    _path(directory, worker_id).unlink(missing_ok=True)


def _path(directory: str, worker_id: UUID) -> Path:
    return Path(directory) / f"{worker_id}.lock"
