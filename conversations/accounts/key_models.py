"""API keys, and the news that somebody's sessions or keys must be looked at again."""

from typing import Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    """Verbs of API keys."""

    def valid(self) -> Self:
        """Those that still open something."""
        return self.filter(revoked_at__isnull=True)


class ApiKey(models.Model):
    """What a program shows to act for a person; the key itself is not kept, only its digest."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="holdfast_api_keys",
        verbose_name=_("owner"),
    )
    name = models.CharField(_("name"), max_length=100)
    prefix = models.CharField(_("begins with"), max_length=12, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    """SHA-256 of the key: it has 256 random bits, which nobody guesses from it."""
    scopes = models.JSONField(_("scopes"), default=list)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)
    """To the minute."""
    revoked_at = models.DateTimeField(_("revoked at"), null=True, editable=False)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class Recheck(models.Model):
    """Tells every process to ask what one person holds open for its session or key again."""

    user_key = models.CharField(max_length=64)
    at = models.DateTimeField(db_index=True)
    """What was opened until then is meant, by the database's clock."""

    class Meta:
        verbose_name = _("recheck")
        verbose_name_plural = _("rechecks")

    def __str__(self) -> str:
        return f"recheck of {self.user_key}"
