"""The lock file of a worker, against real processes."""

import shutil
import subprocess
import sys
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from streaming import lockfile
from streaming.lockfile import LockFile

HOLDER = """
import sys
from uuid import UUID
from streaming.lockfile import LockFile
held = LockFile(sys.argv[1], UUID(sys.argv[2]))
print("held", flush=True)
sys.stdin.read()
"""


def hold(directory: Path, worker_id: UUID) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(directory), str(worker_id)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.communicate()


def test_a_lock_whose_directory_is_gone_is_given_up_all_the_same(tmp_path: Path) -> None:
    directory = tmp_path / "workers"
    held = LockFile(str(directory), uuid4())
    shutil.rmtree(directory)
    directory.write_text("no directory")
    held.release()


def test_a_worker_that_holds_its_lock_is_alive(tmp_path: Path) -> None:
    worker_id = uuid4()
    process = hold(tmp_path, worker_id)
    try:
        assert lockfile.look(str(tmp_path), worker_id) == "alive"
    finally:
        end(process)


def test_a_killed_worker_is_dead_at_once(tmp_path: Path) -> None:
    worker_id = uuid4()
    end(hold(tmp_path, worker_id))
    assert lockfile.look(str(tmp_path), worker_id) == "dead"


def test_a_worker_of_another_host_is_unknown(tmp_path: Path) -> None:
    assert lockfile.look(str(tmp_path), uuid4()) == "unknown"
    assert lockfile.look("", uuid4()) == "unknown"


def test_looking_does_not_take_the_lock_away(tmp_path: Path) -> None:
    worker_id = uuid4()
    end(hold(tmp_path, worker_id))
    assert lockfile.look(str(tmp_path), worker_id) == "dead"
    held = LockFile(str(tmp_path), worker_id)
    assert lockfile.look(str(tmp_path), worker_id) == "alive"
    held.release()
    assert lockfile.look(str(tmp_path), worker_id) == "unknown"


def test_the_file_of_a_dead_worker_can_be_removed_twice(tmp_path: Path) -> None:
    worker_id = uuid4()
    end(hold(tmp_path, worker_id))
    lockfile.remove(str(tmp_path), worker_id)
    lockfile.remove(str(tmp_path), worker_id)
    assert list(tmp_path.iterdir()) == []


def test_a_lock_is_held_once(tmp_path: Path) -> None:
    held = LockFile(str(tmp_path), worker_id := uuid4())
    with pytest.raises(BlockingIOError):
        LockFile(str(tmp_path), worker_id)
    held.release()


def test_a_child_process_does_not_keep_the_lock(tmp_path: Path) -> None:
    """A child that is started by a worker may outlive it, e.g. an upstream."""
    worker_id = uuid4()
    holder = HOLDER.replace(
        "print(",
        "import subprocess; child = subprocess.Popen(['sleep', '60']); print(child.pid);print(",
    )
    process = subprocess.Popen(
        [sys.executable, "-c", holder, str(tmp_path), str(worker_id)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    child = int(process.stdout.readline())
    assert process.stdout.readline() == b"held\n"
    end_without_reading(process)
    try:
        assert lockfile.look(str(tmp_path), worker_id) == "dead"
    finally:
        subprocess.run(["kill", str(child)], check=True)


def end_without_reading(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    assert process.stdin is not None and process.stdout is not None
    process.stdin.close()
    process.stdout.close()
