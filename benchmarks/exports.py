"""What an export of the administration costs: `python -m benchmarks.exports`, DATABASE_URL set.

Starts a server on that database (see `manage.py make_sample_data --messages 1000000`), downloads
every message as CSV and as JSON Lines, leaves a third download half-way, and says how much the
server's memory grew, when the first byte came, and how late its event loop was meanwhile.
"""

import os
import re
import socket
import subprocess
import sys
import threading
import time
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatproject.settings")
_WARM_SECONDS = 2.0


def main() -> None:
    """Measure, and print a table."""
    django.setup()
    cookie = _cookie()
    port = _free_port()
    command = [sys.executable, "-m", "uvicorn", "chatproject.asgi:application"]
    command += ["--port", str(port), "--log-level", "warning"]
    server = subprocess.Popen(command)
    try:
        _wait(port)
        for path in ("message/export.csv", "message/export.jsonl", "conversation/export.csv"):
            print(_measured(server.pid, port, cookie, path), flush=True)
        print(_left(server.pid, port, cookie))
    finally:
        server.terminate()
        server.wait(30)


def _cookie() -> str:
    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.contrib.sessions.backends.db import SessionStore

    users = get_user_model()._default_manager
    boss = users.filter(is_superuser=True).first() or get_user_model().objects.create_superuser(
        "benchmark"
    )
    session = SessionStore()
    session["_auth_user_id"] = str(boss.pk)
    session["_auth_user_backend"] = settings.AUTHENTICATION_BACKENDS[0]
    session["_auth_user_hash"] = boss.get_session_auth_hash()
    session.create()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _wait(port: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            if _ask(port, "/healthz").status == 200:
                time.sleep(_WARM_SECONDS)
                return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the server does not start")


def _ask(port: int, path: str, cookie: str = "") -> HTTPResponse:
    connection = HTTPConnection("127.0.0.1", port, timeout=600)
    connection.request("GET", path, headers={"Cookie": cookie} if cookie else {})
    return connection.getresponse()


def _measured(pid: int, port: int, cookie: str, path: str) -> str:
    _ask(port, "/admin/", cookie).read()  # what a first page loads is not the export's
    before, peak, over = _memory(pid), [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            peak[0] = max(peak[0], _memory(pid))

    lags: list[float] = []

    def ask_beside() -> None:
        """A request that needs nothing but the loop says how late that is."""
        while not over.wait(0.1):
            begun = time.monotonic()
            _ask(port, "/healthz").read()
            lags.append(time.monotonic() - begun)

    late = _lags(port)
    for watcher in (watch, ask_beside):
        threading.Thread(target=watcher, daemon=True).start()
    begun = time.monotonic()
    answer = _ask(port, f"/admin/holdfast_conversations/{path}", cookie)
    assert answer.status == 200, answer.status
    first, lines, size = 0.0, 0, 0
    while piece := answer.read1(1 << 16):
        first = first or time.monotonic() - begun
        lines += piece.count(b"\n")
        size += len(piece)
    took = time.monotonic() - begun
    over.set()
    lags = sorted(lags)
    late = [now - before for now, before in zip(_lags(port), late, strict=True)]
    return (
        f"{path}: first byte {first * 1000:.0f} ms, {size / 1e6:.0f} MB, {lines:,} lines in "
        f"{took:.0f} s, memory +{(peak[0] - before) / 1024:.1f} MB, "
        f"healthz beside it p50 {lags[len(lags) // 2] * 1000:.0f} ms, "
        f"p99 {lags[int(len(lags) * 0.99)] * 1000:.0f} ms, worst {lags[-1] * 1000:.0f} ms; "
        f"loop lag: {late[0]} looks, {late[1]} over 50 ms, {late[2]} over 100 ms, "
        f"{late[3]} over 250 ms"
    )


def _lags(port: int) -> list[int]:
    """Read the metric of the loop's lag: all looks, and how many were later than three bounds."""
    text = _ask(port, "/metrics").read().decode()
    name = "holdfast_loop_lag_seconds_bucket"
    below = {
        bound: int(float(count))
        for bound, count in re.findall(name + r'\{le="([^"]+)"\} (\S+)', text)
    }
    looks = below["+Inf"]
    return [looks, *(looks - below[bound] for bound in ("0.05", "0.1", "0.25"))]


def _left(pid: int, port: int, cookie: str) -> str:
    """Leave a download half-way: the server gives back what it took for it."""
    before = _threads(pid)
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    path = "/admin/holdfast_conversations/message/export.csv"
    connection.request("GET", path, headers={"Cookie": cookie})
    answer = connection.getresponse()
    answer.read(1 << 16)
    during = _threads(pid)
    answer.close()
    connection.close()
    begun = time.monotonic()
    while _threads(pid) > before and time.monotonic() - begun < 30:
        time.sleep(0.01)
    gone = time.monotonic() - begun
    status = _ask(port, "/admin/", cookie).status
    return (
        f"left half-way: {before} threads before, {during} during, {_threads(pid)} again after "
        f"{gone * 1000:.0f} ms; the next page: {status}"
    )


def _threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def _memory(pid: int) -> int:
    """Return the resident memory in KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


if __name__ == "__main__":
    main()
