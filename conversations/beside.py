"""What a server process does beside serving: a project gives it to `streaming.asgi.wrap`."""

from conversations import sessions

TASKS = (sessions.watch,)
