"""The Django app of the runs."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class StreamingConfig(AppConfig):
    """In-flight data: empty on an idle server."""

    name = "streaming"
    label = "holdfast_streaming"
    verbose_name = _("Live runs")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from streaming import checks  # noqa: F401  registers the system checks
