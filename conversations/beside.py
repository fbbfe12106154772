"""What a server process does beside serving: a project gives it to `streaming.asgi.wrap`."""

from conversations import delivering, retention, sessions

TASKS = (sessions.watch, delivering.deliver, retention.purge_daily)
