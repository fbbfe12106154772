"""What is shipped for deployments fits the application and itself; `make clean` keeps data."""

import re
import shlex
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest
import yaml

from conversations import conf
from streaming.conf import StreamingSettings

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
UNIT = (DEPLOY / "systemd" / "holdfast@.service").read_text()
CONTAINER = (DEPLOY / "Containerfile").read_text()
README = (ROOT / "README.md").read_text()
DOCUMENT = (ROOT / "docs" / "deploy.md").read_text()


def number(text: str, pattern: str) -> int:
    found = re.search(pattern, text)
    assert found, f"no {pattern}"
    return int(found[1])


def test_each_deadline_lies_within_the_next() -> None:
    drain = StreamingSettings().drain_seconds
    readers = number(UNIT, r"TIMEOUT_GRACEFUL_SHUTDOWN=(\d+)")
    supervisor = number(UNIT, r"TimeoutStopSec=(\d+)")
    assert drain + 5 <= readers <= supervisor - 10
    in_container = number(CONTAINER, r"TIMEOUT_GRACEFUL_SHUTDOWN=(\d+)")
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    patience = number(compose["x-web"]["stop_grace_period"], r"^(\d+)s$")
    assert drain + 5 <= in_container <= patience - 10
    assert f"| replies | {drain:.0f} |" in DOCUMENT
    assert f"| readers | {readers} |" in DOCUMENT
    assert f"| supervisor | {supervisor} |" in DOCUMENT


def test_workers_are_started_with_the_flags_of_the_readme() -> None:
    block = re.search(r"\.venv/bin/uvicorn (.*?)\n\n", README, re.DOTALL)
    assert block
    flags = re.findall(r"(--[\w-]+(?: \w+)?)", block[1].replace("\\\n", " "))
    assert "--reset-contextvars" in flags
    unit = " ".join(UNIT.replace("\\\n", " ").split())
    container = CONTAINER.replace('", "', " ").replace('", \\\n    "', " ")
    for flag in flags:
        if "graceful" not in flag:
            assert flag in unit, flag
            assert flag in container, flag


@pytest.mark.parametrize(
    ("location", "limit"),
    [
        ("", conf.body_bytes),
        (r"location = /api/attachments \{\s+", conf.attachment_bytes),
        (r"location = /api/import \{\s+", conf.import_bytes),
    ],
)
def test_nginx_takes_a_little_more_than_the_application(location: str, limit: object) -> None:
    text = (DEPLOY / "nginx" / "locations.conf").read_text()
    megabytes = number(text, rf"{location}client_max_body_size (\d+)m;")
    assert callable(limit)
    # What a form has around its file is beyond the limit, too.
    assert limit() + 65_536 < megabytes * 1_048_576 <= limit() * 2


def test_compose_starts_workers_where_nginx_looks_for_them() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    ports = [port for service in services.values() for port in service.get("ports", [])]
    shipped = (DEPLOY / "nginx" / "holdfast.conf").read_text()
    assert [port.rpartition(":")[0] for port in ports] == re.findall(r"server (\S+) max", shipped)


def test_the_script_can_be_read_by_a_shell() -> None:
    for script in [DEPLOY / "install.sh", *(DEPLOY / "install").glob("*.sh")]:
        done = subprocess.run(["bash", "-n", script], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, ""), script


def test_make_clean_keeps_data(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    kept = [".local/db.sqlite3", ".local/db.sqlite3-wal", ".local/secret-key", ".local/media/a"]
    for name in [*kept, ".venv/x", "node_modules/x", "staticfiles/x"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("data")
    subprocess.run(["make", "clean"], cwd=tmp_path, check=True, capture_output=True)
    assert {name for name in kept if (tmp_path / name).exists()} == set(kept)
    assert not (tmp_path / ".venv").exists()


def test_the_documented_backup_has_what_only_the_write_ahead_log_has(tmp_path: Path) -> None:
    [command] = re.findall(r"^    (python3 -c .*VACUUM.*)$", DOCUMENT, re.MULTILINE)
    (tmp_path / ".local").mkdir()
    with sqlite3.connect(tmp_path / ".local" / "db.sqlite3") as live:
        live.execute("PRAGMA journal_mode=WAL")
        live.execute("PRAGMA wal_autocheckpoint=0")
        live.execute("CREATE TABLE note (text)")
        live.execute("INSERT INTO note VALUES ('kept')")
        live.commit()
        subprocess.run(shlex.split(command), cwd=tmp_path, check=True)
    live.close()
    backup = sqlite3.connect(tmp_path / "backup.sqlite3")
    assert backup.execute("SELECT text FROM note").fetchall() == [("kept",)]
    backup.close()
