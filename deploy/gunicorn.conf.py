"""gunicorn as the parent of the workers, which share one port.

    pip install --require-hashes -r requirements-gunicorn.txt
    gunicorn -c deploy/gunicorn.conf.py chatproject.asgi:application --workers 2

It is started in the project's directory; the command line wins over what stands here. With systemd
there is less to know: it starts one uvicorn for each port as well (deploy/systemd).
"""

from uvicorn_worker import UvicornWorker

from chatproject import env
from streaming.conf import StreamingSettings

_DRAIN = env.streaming().get("DRAIN_SECONDS", StreamingSettings().drain_seconds)
_READERS = int(_DRAIN) + 10


class Worker(UvicornWorker):
    """uvicorn with the flags of the README."""

    CONFIG_KWARGS = {
        "loop": "uvloop",
        "http": "httptools",
        "lifespan": "on",
        "reset_contextvars": True,
        "ws_per_message_deflate": False,
        "ws_max_size": 1_048_576,
        "timeout_graceful_shutdown": _READERS,
    }


worker_class = Worker
bind = "127.0.0.1:8000"

# Each deadline lies within the next: the runs', their readers', the parent's patience.
graceful_timeout = _READERS + 10
# The parent kills a worker that gave no sign for so long; one that ends gives none, and its last
# may be half of this old. One that is recycled waits for its readers first, then for its runs.
timeout = 2 * (int(_DRAIN) + _READERS + 10)

# Recycling is off. With --max-requests give --max-requests-jitter, too: a worker that ends takes
# no new requests until its readers have left, and two that do so together leave nobody to ask.
max_requests = 0

# Works either way: a worker's id, threads, connections and frozen memory are made once it serves.
preload_app = False

# The application writes a line for each request; systemd and signals are control enough.
accesslog = None
control_socket_disable = True
