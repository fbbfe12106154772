"""nginx in front of the workers, as a process of its own that can be restarted."""

import shutil
import subprocess
from pathlib import Path

from tests.integration.servers import Server

_CONFIGURATION = """
worker_processes 1;
user root;
pid {home}/nginx.pid;
error_log {home}/server.log warn;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    upstream workers {{ random; {workers} }}
    map $http_upgrade $connection_upgrade {{ default upgrade; "" ""; }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{
            proxy_pass http://workers;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_buffering off;
            proxy_connect_timeout 2s;
            proxy_read_timeout 3600s;
        }}
    }}
}}
"""


class Nginx(Server):
    """A proxy that sends each request to any worker: whoever comes back may find another."""

    def pass_to(self, addresses: list[str]) -> None:
        """Write the configuration.

        Args:
            addresses: of the workers, with their ports.
        """
        workers = " ".join(f"server {address} max_fails=0;" for address in addresses)
        text = _CONFIGURATION.format(home=self.home, port=self.port, workers=workers)
        (self.home / "nginx.conf").write_text(text)

    def spawn(self) -> None:
        """Start the process and return at once."""
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        assert Path(program).exists(), "nginx is missing: apt-get install nginx-light"
        command = [program, "-p", str(self.home), "-c", str(self.home / "nginx.conf")]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "-e", str(self.log_path), "-g", "daemon off;"],
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
