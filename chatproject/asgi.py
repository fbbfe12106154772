"""The ASGI application: `uvicorn chatproject.asgi:application --lifespan on …`, or daphne."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatproject.settings")

from streaming.handler import get_asgi_application

http = get_asgi_application()

from channels.routing import ProtocolTypeRouter  # noqa: E402

from conversations.beside import TASKS  # noqa: E402
from conversations.limits import BodyLimit  # noqa: E402
from conversations.providers import providers  # noqa: E402
from conversations.routing import websocket  # noqa: E402
from streaming.asgi import wrap  # noqa: E402

application = wrap(
    BodyLimit(ProtocolTypeRouter({"http": http, "websocket": websocket})),
    beside=TASKS,
    closing=(providers.aclose,),
)
