"""What operators set while the server runs: models on offer, announcements, and their revisions."""

from decimal import Decimal

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class OfferedModel(models.Model):
    """How an operator offers a model of a provider. Without a row it is offered as it is."""

    id = models.CharField(_("model"), max_length=200, primary_key=True, editable=False)
    """As the API names it."""
    provider = models.CharField(_("provider"), max_length=60, editable=False)
    name = models.CharField(
        _("display name"), max_length=200, blank=True, help_text=_("Empty: as the provider says.")
    )
    position = models.PositiveSmallIntegerField(
        _("position"), default=0, help_text=_("Small numbers come first in the list.")
    )
    enabled = models.BooleanField(_("enabled"), default=True)
    is_default = models.BooleanField(_("default"), default=False)
    input_price = models.DecimalField(
        _("price of input"),
        max_digits=12,
        decimal_places=4,
        default=Decimal(0),
        validators=[MinValueValidator(0)],
        help_text=_("For a million tokens."),
    )
    output_price = models.DecimalField(
        _("price of output"),
        max_digits=12,
        decimal_places=4,
        default=Decimal(0),
        validators=[MinValueValidator(0)],
        help_text=_("For a million tokens."),
    )
    system_prompt = models.TextField(
        _("system prompt"),
        blank=True,
        help_text=_("For conversations that have none of their own."),
    )

    class Meta:
        verbose_name = _("model")
        verbose_name_plural = _("models")
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(
                name="holdfast_model_one_default",
                fields=["is_default"],
                condition=Q(is_default=True),
            ),
            models.CheckConstraint(
                name="holdfast_model_default_is_enabled",
                condition=Q(is_default=False) | Q(enabled=True),
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.id

    def clean(self) -> None:
        """Keep the default enabled: no form has both, so none checks the constraint."""
        if self.is_default and not self.enabled:
            said = _("The default stays enabled; choose another default first.")
            raise ValidationError({"enabled": said})


class Announcement(models.Model):
    """A sentence or two of the operators for everybody who has the chat open."""

    class Level(models.TextChoices):
        """How it looks."""

        INFO = "info", _("information")
        WARNING = "warning", _("warning")

    text = models.TextField(_("text"), max_length=1000, help_text=_("Plain text."))
    level = models.CharField(_("level"), max_length=8, choices=Level, default=Level.INFO)
    starts_at = models.DateTimeField(_("from"), default=timezone.now)
    ends_at = models.DateTimeField(
        _("until"), null=True, blank=True, help_text=_("Empty: until it is deleted.")
    )

    class Meta:
        verbose_name = _("announcement")
        verbose_name_plural = _("announcements")
        ordering = ["-starts_at", "-id"]
        constraints = [
            models.CheckConstraint(
                name="holdfast_announcement_level", condition=Q(level__in=["info", "warning"])
            ),
            models.CheckConstraint(
                name="holdfast_announcement_ends_after_it_starts",
                condition=Q(ends_at__isnull=True) | Q(ends_at__gt=models.F("starts_at")),
            ),
        ]

    def __str__(self) -> str:
        return self.text[:60]


class Revision(models.Model):
    """Rises with every change of what all workers keep in mind: one look tells what to read."""

    topic = models.CharField(max_length=20, primary_key=True)
    number = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name = _("revision")
        verbose_name_plural = _("revisions")

    def __str__(self) -> str:
        return f"{self.topic} {self.number}"
