"""Make the development admin, whose password stays in a file of this machine."""

import os
import secrets
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

NAME = "admin"


class Command(BaseCommand):
    help = "Make the development admin and print its password. Refused when DEBUG=0."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError(
                "ensure_dev_admin prints a password, so it works only with DEBUG=1. "
                "For a real server use: manage.py createsuperuser"
            )
        path = Path(settings.BASE_DIR) / ".local" / "admin-password"
        password = _kept_password(path)
        _ensure_admin(password)
        self.stdout.write(f"Admin: {NAME} / {password}   (development only, kept in {path.name})")


def _kept_password(path: Path) -> str:
    """Read the password, or make it; only this machine's user may read the file."""
    try:
        password = path.read_text().strip()
    except FileNotFoundError:
        password = ""
    if password:
        return password
    password = secrets.token_urlsafe(12)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(password + "\n")
    return password


@transaction.atomic
def _ensure_admin(password: str) -> None:
    users = get_user_model()._default_manager
    admin, created = users.get_or_create(
        **{get_user_model().USERNAME_FIELD: NAME},
        defaults={"is_staff": True, "is_superuser": True},
    )
    if created or not admin.check_password(password):
        admin.set_password(password)
        admin.is_staff = admin.is_superuser = admin.is_active = True
        admin.save()
