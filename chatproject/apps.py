"""daphne as an app: its `runserver`, without the server behind it."""

from django.apps import AppConfig


class DaphneConfig(AppConfig):
    """Brings the ASGI `runserver`; a process of another server is spared half a second of imports.

    daphne's own configuration imports its server and Twisted in every process, for the sake of
    packages that would install another reactor before it; we have none.
    """

    name = "daphne"
    verbose_name = "Daphne"
