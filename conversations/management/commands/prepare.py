"""Make this machine ready for the development server: what `make run` does before it serves."""

import socket
import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from conversations.management.port_holder import port_holder
from conversations.models import Conversation

LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class Command(BaseCommand):
    help = "Check the address, migrate, make the development admin, offer sample data."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("address", help="host:port that the server will listen on")

    def handle(self, *args: Any, address: str, **options: Any) -> None:
        host, port = _split(address)
        _refuse_busy(host, port)
        call_command("migrate", verbosity=0, interactive=False)
        call_command("ensure_dev_admin", stdout=self.stdout)
        if not Conversation.objects.exists():
            self._offer_sample_data()
        if host not in LOOPBACK:
            names = ", ".join(settings.ALLOWED_HOSTS)
            self.stdout.write(f"It answers only to the names in ALLOWED_HOSTS: {names}")
        self.stdout.write(self.style.SUCCESS(f"Chat: http://{_shown(host)}:{port}/"))
        self.stdout.write(f"Admin pages: http://{_shown(host)}:{port}/admin/")

    def _offer_sample_data(self) -> None:
        """Ask a person; tell a script. Never waits without a terminal."""
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            self.stdout.write("No conversations yet. For samples: manage.py make_sample_data")
            return
        try:
            wanted = input("No conversations yet. Make some samples? [y/N] ")
        except EOFError:
            wanted = ""
        if wanted.strip().lower() in {"y", "yes"}:
            call_command("make_sample_data", stdout=self.stdout)


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise CommandError(f"{address!r} is not host:port, e.g. HOST=127.0.0.1 PORT=8000")
    return host.strip("[]"), int(port)


def _shown(host: str) -> str:
    """Give the host as it stands in a URL that a browser on this machine opens."""
    if host in {"0.0.0.0", "::"}:
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _refuse_busy(host: str, port: int) -> None:
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
            probe.listen(1)
    except OSError as error:
        holder = port_holder(port)
        if holder is None:
            raise CommandError(f"Cannot listen on {host}:{port}: {error}") from error
        raise CommandError(
            f"Port {port} is taken by process {holder.pid}: {holder.command}\n"
            "End it, or choose another port: make run PORT=8001"
        ) from error
