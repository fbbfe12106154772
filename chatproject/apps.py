"""daphne as an app: its `runserver`, without the server behind it."""

from importlib import import_module

from django.apps import AppConfig


class DaphneConfig(AppConfig):
    """Brings the ASGI `runserver`; a process of another server is spared half a second of imports.

    daphne's own configuration imports its server and Twisted in every process, for the sake of
    packages that would install another reactor before it; we have none.
    """

    name = "daphne"
    verbose_name = "Daphne"

    def ready(self) -> None:
        """Register the checks of this project's own settings, for want of an app of its own."""
        super().ready()
        import_module("chatproject.observability")
