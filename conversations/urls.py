"""URLs of the API and of what operators ask."""

from django.urls import path

from conversations.api import api
from conversations.errors import no_such_endpoint
from conversations.health import healthz, metrics, readyz
from conversations.streams import events

urlpatterns = [
    path("healthz", healthz),
    path("readyz", readyz),
    path("metrics", metrics),
    path("api/runs/<uuid:run_id>/events", events),
    path("api/", api.urls),
    path("api/<path:rest>", no_such_endpoint),
]
