"""Delete conversations that nobody touched for a while."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from conversations import conf
from conversations.retention import purge_some


class Command(BaseCommand):
    help = "Delete conversations without a change for RETENTION_DAYS; servers do so by themselves."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=int, help="without a change (RETENTION_DAYS)")

    def handle(self, *args: Any, days: int | None, **options: Any) -> None:
        days = conf.retention_days() if days is None else days
        if days < 1:
            raise CommandError("Say --days, at least 1, or set RETENTION_DAYS.")
        count = 0
        while purged := purge_some(days):
            count += purged
        self.stdout.write(f"Deleted {count} conversations without a change for {days} days.")
