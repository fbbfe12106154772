import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notes.settings")

from streaming.handler import get_asgi_application

http = get_asgi_application()  # in the place of Django's function of this name

from streaming.asgi import wrap  # noqa: E402

application = wrap(http)
