"""Where the console's pages lie."""

from django.urls import path

from conversations.console import views

console = [
    path("console/", views.index, name="console"),
    path("console/logs", views.logs, name="console_logs"),
    path("console/logs/stream", views.log_stream, name="console_logs_stream"),
    path("console/system", views.system, name="console_system"),
    path("console/system/stream", views.system_stream, name="console_system_stream"),
    path("console/streams", views.streams, name="console_streams"),
    path("console/path", views.path, name="console_path"),
    path("console/path/stream", views.path_stream, name="console_path_stream"),
]
