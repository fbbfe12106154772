"""Webhooks: where settled replies are reported, and the reports that wait or were made."""

import base64
import secrets
import uuid

from django.core.validators import URLValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


def new_secret() -> str:
    """Return a secret of 256 random bits, as Standard Webhooks write it."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


class Webhook(models.Model):
    """Somebody else's address, which is told of each settled reply."""

    url = models.CharField(
        _("address"),
        max_length=500,
        validators=[URLValidator(schemes=["http", "https"])],
        help_text=_("https://…, without a name and password in it."),
    )
    description = models.CharField(_("description"), max_length=200, blank=True)
    enabled = models.BooleanField(_("enabled"), default=True)
    with_content = models.BooleanField(
        _("with the text"),
        default=False,
        help_text=_("Reports carry the reply's text, not only who, when and how much."),
    )
    secret = models.CharField(max_length=100, default=new_secret, editable=False)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")
        ordering = ["id"]

    def __str__(self) -> str:
        return self.description or self.url


class Delivery(models.Model):
    """One report for one webhook; its id is the same however often it is sent."""

    class State(models.TextChoices):
        """How far it is."""

        WAITING = "waiting", _("waiting")
        DELIVERED = "delivered", _("delivered")
        DEAD = "dead", _("given up")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Without a constraint: a webhook that is deleted this instant must not cost a reply its end.
    webhook = models.ForeignKey(
        Webhook,
        on_delete=models.CASCADE,
        db_constraint=False,
        related_name="deliveries",
        verbose_name=_("webhook"),
    )
    run_id = models.UUIDField(_("run"))
    owner_key = models.CharField(max_length=64, db_index=True)
    body = models.TextField(_("body"))
    """What is sent, byte for byte the same each time."""
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.WAITING)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    next_at = models.DateTimeField(_("next attempt"))
    """While it waits; whoever claims it moves this beyond the time that an attempt takes."""
    last_outcome = models.CharField(_("last outcome"), max_length=40, blank=True)
    created_at = models.DateTimeField(_("created at"))
    done_at = models.DateTimeField(_("done at"), null=True)

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(
                name="holdfast_delivery_waiting",
                fields=["next_at"],
                condition=Q(state="waiting"),
            ),
            models.Index(name="holdfast_delivery_by_date", fields=["-created_at", "-id"]),
        ]

    def __str__(self) -> str:
        return str(self.id)
