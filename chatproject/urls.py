"""URLs of the project."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from conversations.accounts.throttling import throttled
from conversations.health import healthz, metrics, readyz
from conversations.manifest import favicon

admin.site.site_header = admin.site.site_title = format_lazy(
    _("{product} administration"), product=settings.PRODUCT_NAME
)
admin.site.index_title = _("Conversations and runs")

urlpatterns = [
    # Before the others of the admin, of which it is one.
    path("admin/login/", throttled(admin.site.login)),
    path("admin/", admin.site.urls),
    # Pages without an icon of their own, such as the admin's, are asked for this one.
    path("favicon.ico", favicon),
    path("healthz", healthz),
    path("readyz", readyz),
    path("metrics", metrics),
    path("", include("conversations.urls")),
]

handler404 = "conversations.errors.not_found"
handler500 = "conversations.errors.server_error"
