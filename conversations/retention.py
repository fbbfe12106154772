"""Conversations that nobody touched for RETENTION_DAYS are deleted, a few at a time."""

import asyncio
import logging
import random
from datetime import timedelta

from django.db import DatabaseError, InterfaceError
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from conversations import conf
from conversations.ending import discard
from conversations.models import Conversation, Message
from conversations.webhooks import outbox
from streaming import threads

logger = logging.getLogger(__name__)

BATCH = 50
"""Conversations in one transaction: settlements wait for one batch at most."""

_DAY_SECONDS = 24 * 60 * 60
_FIRST_SECONDS = (60.0, 600.0)  # after the start; not all processes at once
_BETWEEN_SECONDS = 0.2


def purge_some(days: int, most: int = BATCH) -> int:
    """Delete one batch of conversations without a change for so many days, pinned ones, too.

    Returns:
        How many; 0 when there is nothing left.
    """
    before = timezone.now() - timedelta(days=days)
    running = Message.objects.running().filter(conversation_id=OuterRef("pk"))
    old = Q(updated_at__lt=before) & (Q(touched_at=None) | Q(touched_at__lt=before))
    found = Conversation.objects.filter(old, ~Exists(running)).order_by("updated_at")
    ids = list(found.values_list("pk", flat=True)[:most])
    if ids:
        # Again by date: what was written to meanwhile stays.
        discard(Q(id__in=ids) & old)
    return len(ids)


async def purge_daily() -> None:
    """Purge once a day until this is cancelled; for `streaming.asgi.wrap`."""
    await asyncio.sleep(random.uniform(*_FIRST_SECONDS))
    while True:
        try:
            await purge()
        except (DatabaseError, InterfaceError) as error:
            logger.warning("The purge waits for tomorrow: %s", type(error).__name__)
        await asyncio.sleep(_DAY_SECONDS)


async def purge() -> int:
    """Delete what is older than the settings keep; other writes go in between.

    Returns:
        How many conversations.
    """
    await threads.write(outbox.purge)
    count, days = 0, conf.retention_days()
    while days and (purged := await threads.write(purge_some, days)):
        count += purged
        await asyncio.sleep(_BETWEEN_SECONDS)
    if count:
        logger.info("Deleted %s conversations that were %s days old", count, days)
    return count
