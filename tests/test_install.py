"""The installer's pieces, with stand-ins for what only a whole machine has."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

DEPLOY = Path(__file__).resolve().parent.parent / "deploy"
# What install.sh has before it reads its pieces; systemd is there, and says what it was asked.
AROUND = """
set -euo pipefail
HOST="" CURRENT=$HERE/current ENVIRONMENT=$HERE/environment OPTIONS=$HERE/install
DATA=/var/lib/holdfast READY_SECONDS=0 RELEASE=$HERE/releases/new
say() { echo "$*"; }
fail() { echo "install.sh: $*" >&2; exit 1; }
. $DEPLOY/install/environment.sh
. $DEPLOY/install/workers.sh
. $DEPLOY/install/site.sh
UNITS=$HERE/units SITES=$HERE/nginx
runs_systemd() { true; }
chown() { true; }
install() { [ "$1" != -d ] && command install "$@" || mkdir -p "${*: -1}"; }
journalctl() { true; }
switch() { echo "switch ${1##*/}" >>$HERE/asked; }
systemctl() { echo "systemctl $*" >>$HERE/asked; }
nginx() { echo nginx >>$HERE/asked; }
curl() { echo 200; }
"""
ODD = 'it\'s $HOME & $(touch made) <here> `touch made` # "x" %41'


@pytest.fixture
def here(tmp_path: Path) -> Path:
    for name in ("units/holdfast.target.wants", "nginx/sites-enabled"):
        (tmp_path / name).mkdir(parents=True)
    for release in ("old", "new"):
        (tmp_path / "releases" / release).mkdir(parents=True)
        (tmp_path / "releases" / release / "deploy").symlink_to(DEPLOY)
    (tmp_path / "nginx" / "nginx.conf").write_text("worker_connections 768;\n")
    return tmp_path


def shell(here: Path, script: str, **given: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HERE": str(here), "DEPLOY": str(DEPLOY), **given}
    return subprocess.run(
        ["bash", "-c", AROUND + script],
        cwd=here,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def asked(here: Path) -> list[str]:
    return (here / "asked").read_text().splitlines()


def enabled(here: Path, *ports: int) -> None:
    for port in ports:
        unit = here / "units" / "holdfast.target.wants" / f"holdfast@{port}.service"
        unit.symlink_to("/dev/null")


def test_options_of_the_last_run_stay_until_others_are_given(here: Path) -> None:
    show = '\nread_options; echo "$WORKERS $FIRST_PORT $NGINX ${EXTRAS[*]}"; keep_options'
    assert shell(here, show).stdout == "2 8001 yes \n"
    chosen = "read_options; NGINX=no; EXTRAS=(observability gunicorn); keep_options"
    assert shell(here, chosen, WORKERS="8", FIRST_PORT="9001").returncode == 0
    assert shell(here, show).stdout == "8 9001 no observability gunicorn\n"
    assert shell(here, show, WORKERS="3").stdout == "3 9001 no observability gunicorn\n"
    assert shell(here, show).stdout == "3 9001 no observability gunicorn\n"


@pytest.mark.parametrize(
    ("line", "value"),
    [(ODD, ODD), (f'"{ODD}"', ODD), (f"'{ODD}'", ODD), ("", ""), ("a=b", "a=b")],
)
def test_settings_are_read_as_characters_and_never_as_a_program(
    here: Path, line: str, value: str
) -> None:
    settings = here / "environment"
    settings.write_text(f"# a comment=1\n\nNOT A NAME=1\nTRICKY={line}\nLAST=end")
    assert shell(here, "setting TRICKY").stdout == value + "\n"

    command = (DEPLOY / "install" / "command.sh").read_text()
    program = here / ".venv" / "bin" / "python"
    program.parent.mkdir(parents=True)
    program.write_text(
        f"#!{sys.executable}\nimport json, os, sys\n"
        'print(json.dumps([os.environ["TRICKY"], os.environ["LAST"], sys.argv[1:]]))\n'
    )
    program.chmod(0o755)
    runuser = here / "runuser"
    runuser.write_text('#!/bin/sh\nshift 3\nexec "$@"\n')
    runuser.chmod(0o755)
    done = subprocess.run(
        ["sh", "-c", command.replace("/etc/holdfast/environment", str(settings)), "holdfast", "x"],
        env={"PATH": f"{here}:{os.environ['PATH']}", "HOLDFAST_RELEASE": str(here)},
        cwd=here,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert json.loads(done.stdout) == [value, "end", ["manage.py", "x"]], done.stderr
    assert not (here / "made").exists()


def test_what_was_given_at_first_is_written_and_something_else_later_is_refused(
    here: Path,
) -> None:
    given = {"SECRET_KEY": "a $key & more", "DATABASE_URL": "postgres://a:b@db:5432/c?x=1&y=2"}
    first = shell(here, "HOST=chat.example; check_given; write_environment", **given)
    assert first.returncode == 0, first.stderr
    for name, value in given.items():
        assert shell(here, f"setting {name}").stdout == value + "\n"
    written = (here / "environment").read_text()
    assert "SECRET_KEY='a $key & more'\n" in written
    assert shell(here, "HOST=chat.example; check_given; write_environment", **given).returncode == 0
    for name in ("SECRET_KEY", "DATABASE_URL", "REDIS_URL"):
        other = shell(here, "check_given", **{name: "something-else"})
        assert other.returncode == 1 and name in other.stderr
        assert "something-else" not in other.stderr
    other = shell(here, "HOST=chat.other; check_given")
    assert other.returncode == 1 and "chat.other" in other.stderr
    assert (here / "environment").read_text() == written


def test_a_first_key_is_made_where_none_is_given(here: Path) -> None:
    elsewhere = "ENVIRONMENT=$HERE/etc/holdfast/environment"
    done = shell(here, f"{elsewhere}; HOST=chat.example; write_environment")
    assert done.returncode == 0, done.stderr
    assert len(shell(here, f"{elsewhere}; setting SECRET_KEY").stdout) > 50
    assert "REDIS_URL" not in (here / "etc" / "holdfast" / "environment").read_text()


def test_workers_that_are_not_wanted_stop_after_nginx_does_not_ask_them(here: Path) -> None:
    enabled(here, 8001, 8002, 8003, 9001)
    run = "stop_workers_that_are_not_wanted"
    done = shell(here, f"read_options; write_site; {run}", WORKERS="2")
    assert done.returncode == 0, done.stderr
    assert asked(here) == [
        "nginx",
        "systemctl reload-or-restart nginx",
        "systemctl -q disable --now holdfast@8003",
        "systemctl -q disable --now holdfast@9001",
    ]
    main = (DEPLOY / "install.sh").read_text()
    assert main.index("\nrestart_workers") < main.index("\nwrite_site") < main.index(f"\n{run}")


def test_a_release_that_does_not_start_gives_way_to_the_one_before(here: Path) -> None:
    broken = """
        read_options
        curl() { [ "${*: -1}" != http://127.0.0.1:8002/readyz ] || [ ! -d $RELEASE ] || return 7
            echo 200; }
        systemctl() { echo "systemctl $*" >>$HERE/asked
            [ "$*" != "restart holdfast@8002" ] || [ -e failed ] || { touch failed; return 1; }; }
        restart_workers $HERE/releases/old
    """
    done = shell(here, broken, WORKERS="3")
    assert done.returncode == 1 and "port 8002" in done.stderr
    restarts = [line for line in asked(here) if "restart" in line or "switch" in line]
    assert restarts == [
        "systemctl restart holdfast@8001",
        "systemctl restart holdfast@8002",
        "switch old",
        "systemctl restart holdfast@8001",
        "systemctl restart holdfast@8002",
    ]
    reload = asked(here).index("systemctl daemon-reload")
    assert asked(here).index("switch old") < reload
    assert (here / "units" / "holdfast@.service").exists()
    assert sorted(path.name for path in (here / "releases").iterdir()) == ["old"]


@pytest.mark.parametrize(
    ("bind", "place"),
    [
        ("", "127.0.0.1"),
        ("10.0.0.5", "10.0.0.5"),
        ("0.0.0.0", "127.0.0.1"),
        ("::", "[::1]"),
        ("fd00::5", "[fd00::5]"),
    ],
)
def test_workers_are_asked_where_they_listen(here: Path, bind: str, place: str) -> None:
    (here / "environment").write_text(f"BIND={bind}\n")
    script = 'curl() { echo "${*: -1}" >>asked; echo 200; }; wait_until_ready 8001'
    assert shell(here, script).returncode == 0
    assert asked(here) == [f"http://{place}:8001/readyz"]
    unit = (DEPLOY / "systemd" / "holdfast@.service").read_text()
    assert "Environment=BIND=127.0.0.1" in unit and "--host ${BIND}" in unit


def test_units_may_write_where_files_are_kept(here: Path) -> None:
    places = [here / "units" / f"{unit}.service.d" for unit in ("holdfast@", "holdfast-daily")]
    (here / "environment").write_text("MEDIA_ROOT='/srv/shared files/50%'\n")
    assert shell(here, "write_units $RELEASE").returncode == 0
    for place in places:
        wanted = '[Service]\nReadWritePaths="/srv/shared files/50%%"\n'
        assert (place / "media.conf").read_text() == wanted
    (here / "environment").write_text("MEDIA_ROOT=/var/lib/holdfast/media\n")
    assert shell(here, "write_units $RELEASE").returncode == 0
    assert not any((place / "media.conf").exists() for place in places)


def test_only_the_list_of_workers_of_a_site_is_written(here: Path) -> None:
    site = here / "nginx" / "conf.d" / "holdfast.conf"
    assert shell(here, "read_options; write_site").returncode == 0
    assert site.read_text() == (DEPLOY / "nginx" / "holdfast.conf").read_text()
    own = site.read_text().replace("least_conn;", "hash $remote_addr;\n  server 10.0.0.9:8001;")
    site.write_text(own)
    assert shell(here, "read_options; write_site", WORKERS="3").returncode == 0
    third = "    server 127.0.0.1:8003 max_fails=0;\n"
    assert site.read_text() == own.replace("    # until here", third + "    # until here")
    assert shell(here, "read_options; write_site", WORKERS="2").returncode == 0
    assert site.read_text() == own


def test_a_site_without_the_two_comments_gets_them_or_is_left_alone(here: Path) -> None:
    shipped = (DEPLOY / "nginx" / "holdfast.conf").read_text()
    begins, ends = "    # install.sh writes the workers here\n", "    # until here\n"
    site = here / "nginx" / "conf.d" / "holdfast.conf"
    site.parent.mkdir()
    site.write_text(shipped.replace(begins, "").replace(ends, ""))
    assert shell(here, "read_options; write_site").returncode == 0
    assert site.read_text() == shipped
    for own in ("upstream holdfast { server 10.0.0.9:80; }\n", shipped.replace(ends, "")):
        site.write_text(own)
        done = shell(here, "read_options; write_site")
        assert done.returncode == 0 and "see to its workers yourself" in done.stdout
        assert site.read_text() == own


@pytest.mark.parametrize("first", [True, False])
def test_what_nginx_does_not_take_is_put_back(here: Path, first: bool) -> None:
    (here / "nginx" / "sites-enabled" / "default").symlink_to("../sites-available/default")
    if not first:
        assert shell(here, "read_options; write_site").returncode == 0
        (here / "nginx" / "snippets" / "holdfast-locations.conf").write_text("of before\n")

    def found() -> dict[str, str]:
        paths = (here / "nginx").rglob("*")
        return {
            str(path): os.readlink(path) if path.is_symlink() else path.read_text()
            for path in paths
            if path.is_symlink() or path.is_file()
        }

    before = found()
    refuse = "nginx() { echo 'unknown directive' >&2; return 1; }"
    done = shell(here, f"read_options; {refuse}; write_site; echo went on", WORKERS="4")
    assert done.returncode == 1 and "unknown directive" in done.stderr
    assert "went on" not in done.stdout
    assert found() == before


def test_settings_beside_the_code_are_in_no_image_and_no_release() -> None:
    for name in (".dockerignore", ".gitignore"):
        assert "deploy/*.env" in (DEPLOY.parent / name).read_text().splitlines()
    assert "--exclude='*.env'" in (DEPLOY / "install.sh").read_text()


@pytest.mark.parametrize("extra", ["model", "dev", "nothing"])
def test_an_extra_that_cannot_be_installed_is_refused(extra: str) -> None:
    # The number would end it, too, before it did anything to this machine.
    command = ["bash", DEPLOY / "install.sh", "--with", extra, "--workers", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and extra in done.stderr
