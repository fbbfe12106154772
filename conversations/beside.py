"""What a server process does beside serving: a project gives it to `streaming.asgi.wrap`."""

from conversations import retention
from conversations.accounts import sessions
from conversations.webhooks import delivering

TASKS = (sessions.watch, delivering.deliver, retention.purge_daily)
