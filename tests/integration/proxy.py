"""nginx with the configuration that is shipped; only ports and paths are other ones."""

import ctypes
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.servers import ROOT, answers, eventually, free_port

SHIPPED = ROOT / "deploy" / "nginx"
_SNIPPET = "/etc/nginx/snippets/holdfast-locations.conf"
_WORKER = re.compile(r"server 127\.0\.0\.1:\d+ (.*);")

AROUND = """
daemon off;
{user}
pid {home}/pid;
worker_processes 1;
error_log {home}/error.log warn;
events {{ worker_connections 4096; }}
http {{
    include /etc/nginx/mime.types;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    include {home}/holdfast.conf;
}}
"""
"""What a distribution's nginx.conf has around a site."""


@dataclass
class Nginx:
    """One nginx before some workers; `port` and `url` are as a server's."""

    workers: Sequence[int]
    """Their ports."""
    port: int = field(default_factory=free_port)
    home: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="holdfast-nginx-")))
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def static(self) -> Path:
        """Where it looks for static files."""
        return self.home / "static"

    @property
    def errors(self) -> str:
        """What it had to say of its workers and itself."""
        return (self.home / "error.log").read_text()

    def write(self) -> Path:
        """Write the configuration and give its path."""
        self.static.mkdir(exist_ok=True)
        site = (SHIPPED / "holdfast.conf").read_text()
        line = _WORKER.search(site)
        assert line, "the shipped file names no worker"
        lines = [f"server 127.0.0.1:{port} {line[1]};" for port in self.workers]
        site = _WORKER.sub("", site).replace("least_conn;", "least_conn;\n" + "\n".join(lines))
        site = site.replace("listen 80 ", f"listen 127.0.0.1:{self.port} ")
        site = re.sub(r"listen \[::\]:80 .*;", "", site)
        locations = (SHIPPED / "locations.conf").read_text()
        (self.home / "locations.conf").write_text(
            locations.replace("root /var/lib/holdfast;", f"root {self.home};")
        )
        (self.home / "holdfast.conf").write_text(
            site.replace(_SNIPPET, str(self.home / "locations.conf"))
        )
        user = "user root;" if os.geteuid() == 0 else ""
        path = self.home / "nginx.conf"
        path.write_text(AROUND.format(user=user, home=self.home))
        return path

    async def start(self) -> "Nginx":
        """Start it and wait until a worker answers through it."""
        path = self.write()
        self.process = subprocess.Popen(
            [program(), "-e", str(self.home / "error.log"), "-c", str(path)],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
        await eventually(lambda: answers(self.port, "/healthz"), 20, lambda: self.errors)
        return self

    def kill(self) -> None:
        """End all its processes at once; connections through it are reset."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def discard(self) -> None:
        """End it and remove its files."""
        if self.process is not None and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.home, ignore_errors=True)


def program() -> str:
    """Find nginx, which Debian has where only root's PATH leads."""
    found = shutil.which("nginx") or "/usr/sbin/nginx"
    assert Path(found).exists(), "nginx is missing: apt-get install nginx-light"
    return found


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
