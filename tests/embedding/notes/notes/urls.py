from django.contrib import admin
from django.urls import path

from notes import views

urlpatterns = [
    path("", views.desk),
    path("admin/", admin.site.urls),
    path("notes", views.ask),
    path("notes/<uuid:note_id>/events", views.events, name="events"),
    path("notes/<uuid:note_id>/stop", views.stop),
]
