import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")

from streaming.handler import get_asgi_application

http = get_asgi_application()  # in the place of Django's function of this name

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.urls import path  # noqa: E402

from conversations.beside import TASKS  # noqa: E402
from conversations.providers import providers  # noqa: E402
from conversations.routing import chat  # noqa: E402
from streaming.asgi import wrap  # noqa: E402

sockets = URLRouter([path("assistant/ws/chat/", chat)])
application = wrap(
    ProtocolTypeRouter({"http": http, "websocket": sockets}),
    beside=TASKS,
    closing=(providers.aclose,),
)
