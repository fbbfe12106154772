"""nginx with the configuration that is shipped; only ports and paths are other ones."""

import ctypes
import os
import re
import shutil
import signal
import ssl
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import httpx

from tests.integration.servers import ROOT, START_SECONDS, answers, eventually, free_port

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
    def trust(self) -> ssl.SSLContext | None:
        """How its certificate is checked, where it speaks TLS."""
        return None

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
        site = self._site()
        line = _WORKER.search(site)
        assert line, "the shipped file names no worker"
        lines = [f"server 127.0.0.1:{port} {line[1]};" for port in self.workers]
        site = _WORKER.sub("", site).replace("least_conn;", "least_conn;\n" + "\n".join(lines))
        site = re.sub(r"listen \[::\]:.*;", "", site)
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

    def _site(self) -> str:
        """Give the site with its ports."""
        site = (SHIPPED / "holdfast.conf").read_text()
        return site.replace("listen 80 ", f"listen 127.0.0.1:{self.port} ")

    async def start(self) -> Self:
        """Start it and wait until a worker answers through it."""
        path = self.write()
        self.process = subprocess.Popen(
            [program(), "-e", str(self.home / "error.log"), "-c", str(path)],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
        try:
            await eventually(self._answers, START_SECONDS, lambda: self.errors)
        except BaseException:
            self.discard()
            raise
        return self

    async def _answers(self) -> bool:
        return await answers(self.port, "/healthz")

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


@dataclass
class TLSNginx(Nginx):
    """The same with `holdfast-tls.conf` and a certificate of its own; `port` is that of TLS."""

    plain_port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def certificate(self) -> Path:
        return self.home / "fullchain.pem"

    @property
    def trust(self) -> ssl.SSLContext:
        """Trust its certificate and no other."""
        return ssl.create_default_context(cafile=str(self.certificate))

    def _site(self) -> str:
        self._certify()
        around, taken_out, _ = (SHIPPED / "holdfast.conf").read_text().partition("\nserver {")
        assert taken_out, "the shipped file has no site"
        site = (SHIPPED / "holdfast-tls.conf").read_text()
        for shipped, ours in {
            "listen 80 ": f"listen 127.0.0.1:{self.plain_port} ",
            "listen 443 ": f"listen 127.0.0.1:{self.port} ",
            "/etc/letsencrypt/live/chat.example/": f"{self.home}/",
        }.items():
            assert shipped in site, shipped
            site = site.replace(shipped, ours)
        return f"{around}\n{site}"

    def _certify(self) -> None:
        command = "openssl req -x509 -nodes -days 2 -newkey ec -pkeyopt ec_paramgen_curve:P-256"
        files = ["-keyout", self.home / "privkey.pem", "-out", self.certificate]
        names = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
        done = subprocess.run([*command.split(), *files, *names], capture_output=True, timeout=30)
        assert done.returncode == 0, done.stderr

    async def _answers(self) -> bool:
        async with httpx.AsyncClient(base_url=self.url, verify=self.trust) as client:
            try:
                return (await client.get("/healthz")).status_code == 200
            except httpx.HTTPError:
                return False


def program() -> str:
    """Find nginx, which Debian has where only root's PATH leads."""
    found = shutil.which("nginx") or "/usr/sbin/nginx"
    assert Path(found).exists(), "nginx is missing: apt-get install nginx-light"
    return found


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
