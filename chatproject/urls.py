"""URLs of the project."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

from conversations.health import healthz, metrics, readyz

admin.site.site_header = admin.site.site_title = f"{settings.PRODUCT_NAME} administration"
admin.site.index_title = "Conversations and runs"

urlpatterns = [
    path("admin/", admin.site.urls),
    path("healthz", healthz),
    path("readyz", readyz),
    path("metrics", metrics),
    path("", include("conversations.urls")),
]

handler404 = "conversations.errors.not_found"
handler500 = "conversations.errors.server_error"
