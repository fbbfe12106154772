"""The ASGI application: `uvicorn chatproject.asgi:application --lifespan on …`, or daphne."""

import logging
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatproject.settings")

from streaming.handler import get_asgi_application

logging.captureWarnings(True)  # a warning of Python's is a line of the log, too
http = get_asgi_application()

from channels.routing import ProtocolTypeRouter  # noqa: E402
from django.conf import settings  # noqa: E402

from chatproject import observability  # noqa: E402
from conversations.beside import TASKS  # noqa: E402
from conversations.limits.bodies import BodyLimit  # noqa: E402
from conversations.providers import providers  # noqa: E402
from conversations.routing import websocket  # noqa: E402
from streaming.access import AccessLog  # noqa: E402
from streaming.asgi import wrap  # noqa: E402

observability.begin()
application = wrap(
    AccessLog(
        BodyLimit(ProtocolTypeRouter({"http": http, "websocket": websocket})),
        quiet=(f"/{settings.STATIC_URL.strip('/')}/",),
    ),
    beside=TASKS,
    closing=(providers.aclose, observability.close),
)
