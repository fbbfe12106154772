"""Delete files that were uploaded and never sent, and files that no row names any more."""

import re
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.core.files.storage import default_storage
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from conversations.attachments.keeping import purge_unsent
from conversations.models import Attachment

_ROOT = "attachments"
_OURS = re.compile(r"attachments/\d{4}/\d{2}/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:_\w+)?")
"""The directory may hold files of the project, too."""
_BATCH = 500


class Command(BaseCommand):
    help = "Delete uploaded files that were never sent. Run it once a day."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--hours", type=int, default=24, help="since the upload (24)")

    def handle(self, *args: Any, hours: int, **options: Any) -> None:
        if hours < 1:
            raise CommandError("--hours is at least 1: somebody may be about to send a file.")
        before = timezone.now() - timedelta(hours=hours)
        unsent, lost = purge_unsent(before), _purge_nameless(before)
        self.stdout.write(f"Deleted {unsent} files that were not sent and {lost} without a row.")


def _purge_nameless(before: datetime) -> int:
    """Remove files that a process left behind when it died between file and row."""
    count = 0
    batch: list[str] = []
    for path in filter(_OURS.fullmatch, _paths(_ROOT)):
        batch.append(path)
        if len(batch) == _BATCH:
            count += _remove_nameless(batch, before)
            batch = []
    return count + _remove_nameless(batch, before)


def _remove_nameless(paths: list[str], before: datetime) -> int:
    named = set(Attachment.objects.filter(file__in=paths).values_list("file", flat=True))
    count = 0
    for path in set(paths) - named:
        if default_storage.get_modified_time(path) < before:
            default_storage.delete(path)
            count += 1
    return count


def _paths(directory: str) -> Iterator[str]:
    if not default_storage.exists(directory):
        return
    directories, files = default_storage.listdir(directory)
    yield from (f"{directory}/{name}" for name in files)
    for name in directories:
        yield from _paths(f"{directory}/{name}")
