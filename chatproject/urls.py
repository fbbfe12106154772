"""URLs of the project."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path

admin.site.site_header = admin.site.site_title = f"{settings.PRODUCT_NAME} administration"
admin.site.index_title = "Conversations and runs"

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("conversations.urls")),
    path("", include("conversations.page_urls")),
]

handler404 = "conversations.errors.not_found"
handler500 = "conversations.errors.server_error"
