"""URLs of the pages."""

from django.urls import path

from conversations import views

app_name = "pages"

urlpatterns = [
    path("", views.new_conversation, name="new"),
    path("c/<uuid:conversation_id>", views.conversation, name="conversation"),
]
