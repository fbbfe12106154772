"""The development server with all it needs, started as fast as it can be: `make run`."""

import os
import signal
import subprocess
import sys
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connections
from django.utils.autoreload import DJANGO_AUTORELOAD_ENV

RELOAD = 3
"""Exit status with which Django's reloader asks to be started again."""


class Command(BaseCommand):
    help = "Prepare this machine (see `prepare`), then run the development server."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("address", help="host:port to listen on")

    def handle(self, *args: Any, address: str, **options: Any) -> None:
        """Be the parent of Django's reloader, as `runserver` is.

        `runserver` loads the project in the parent and again in the child. Here the first child is
        a fork of the parent, which has just been loaded; later ones are started as usual.
        """
        call_command("prepare", address, stdout=self.stdout)
        self.stdout.flush()
        _close_connections()
        os.environ[DJANGO_AUTORELOAD_ENV] = "true"
        child = os.fork()
        if child == 0:
            call_command("runserver", address)
            return
        _pass_on_signals(child)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        while status == RELOAD:
            command = [sys.executable, sys.argv[0], "runserver", address]
            with subprocess.Popen(command) as process:
                _pass_on_signals(process.pid)
                status = process.wait()
        # A child that a signal ended counts as the shell counts it.
        sys.exit(status if status >= 0 else 128 - status)


def _close_connections() -> None:
    """Leave no connection and no pool to be shared by two processes."""
    connections.close_all()
    for connection in connections.all(initialized_only=True):
        if hasattr(connection, "close_pool"):
            connection.close_pool()


def _pass_on_signals(child: int) -> None:
    """Let the child end first: a terminal interrupts it itself, a supervisor ends only us."""

    def end(number: int, frame: FrameType | None) -> None:
        os.kill(child, signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, lambda number, frame: None)
