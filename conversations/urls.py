"""URLs of the chat, its pages and its API; a project includes them where it likes."""

from django.db import connections, transaction
from django.urls import URLPattern, include, path

from conversations import views
from conversations.accounts.urls import account
from conversations.api import api
from conversations.console.urls import console
from conversations.errors import no_such_endpoint, refusing_methods
from conversations.manifest import manifest
from conversations.sharing import page
from conversations.streams import events

app_name = "holdfast"

_api, _, _api_name = api.urls
for _endpoint in _api:
    if isinstance(_endpoint, URLPattern):
        _endpoint.callback = refusing_methods(_endpoint.callback)
_own = [
    path("", views.new_conversation, name="new"),
    path("c/<uuid:conversation_id>", views.conversation, name="conversation"),
    path("s/<str:token>", page.shared, name="shared"),
    path("api/runs/<uuid:run_id>/events", refusing_methods(events), name="events"),
    path("manifest.webmanifest", manifest, name="manifest"),
    *account,
    *console,
]
_last = path("api/<path:rest>", no_such_endpoint)

urlpatterns = [*_own, path("api/", include((_api, _api_name))), _last]


# Whatever ATOMIC_REQUESTS says: Django refuses async views then, and a stream would hold its
# transaction for minutes.
for _pattern in (*_own, *_api, _last):
    for _alias in connections:
        if isinstance(_pattern, URLPattern):
            transaction.non_atomic_requests(using=_alias)(_pattern.callback)
