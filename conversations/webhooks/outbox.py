"""The outbox of webhooks: written when a reply is settled, emptied by `delivering`."""

import random
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from conversations import conf
from conversations.models import Delivery, Message, Person, Webhook
from conversations.webhooks.signatures import headers
from streaming.recorder import Settlement
from streaming.transcript import text_of

_FRESH_SECONDS = 2.0
_ONE_TO_GO = timedelta(seconds=5)  # beyond the longest attempt, before another worker tries
_LONGEST_PAUSE_SECONDS = 6 * 60 * 60
_DELIVERED_KEPT = timedelta(days=7)
_DEAD_KEPT = timedelta(days=30)

_State = Delivery.State


class Known(NamedTuple):
    """The enabled webhooks as this process last read them: id, and whether with the text."""

    webhooks: dict[int, bool]
    read_at: float


class Claimed(NamedTuple):
    """A delivery that this process may try now."""

    id: UUID
    webhook_id: int
    url: str
    secret: str
    body: str
    attempt: int

    def headers(self) -> dict[str, str]:
        return headers(self.secret, str(self.id), int(time.time()), self.body.encode())


listener: Callable[[], None] | None = None
"""Called, in any thread, once something is in the outbox."""

_known = Known({}, float("-inf"))


def look() -> dict[int, bool]:
    """Read which webhooks are enabled."""
    global _known
    before = _known
    rows = Webhook.objects.filter(enabled=True).values_list("id", "with_content")
    found = Known(dict(rows), time.monotonic())
    if _known is before:  # else they were changed while we read
        _known = found
    return found.webhooks


def forget() -> None:
    """Read anew at the next use: webhooks were changed here."""
    global _known
    _known = Known({}, float("-inf"))


def enabled() -> dict[int, bool]:
    """Return the enabled webhooks, no older than a few seconds.

    No query while a server runs: its task reads them, a new one counts within `_FRESH_SECONDS`.
    """
    return _known.webhooks if time.monotonic() - _known.read_at < 3 * _FRESH_SECONDS else look()


def put(run_id: UUID, owner_id: Any, settlement: Settlement, now: datetime) -> None:
    """Write what each webhook is to be told of a reply, within the transaction that settles it."""
    webhooks = enabled()
    if not webhooks:
        return
    told = _told(run_id, owner_id, settlement, now)
    text = text_of(settlement.parts)
    Delivery.objects.bulk_create(
        Delivery(
            webhook_id=webhook_id,
            run_id=run_id,
            owner_key=str(owner_id),
            body=_body(told | {"content": text} if with_content else told, now),
            next_at=now,
            created_at=now,
        )
        for webhook_id, with_content in webhooks.items()
    )
    transaction.on_commit(_wake)


def _told(run_id: UUID, owner_id: Any, settlement: Settlement, now: datetime) -> dict[str, Any]:
    outcome = settlement.outcome
    message = Message.objects.filter(id=run_id).values(
        "conversation_id", "parent_id", "model", "created_at", "duration_ms", "first_token_ms"
    )[0]
    usage = outcome.usage
    return {
        "run_id": run_id,
        "conversation_id": message["conversation_id"],
        "message_id": message["parent_id"],
        "user_id": str(owner_id),
        "model": message["model"],
        "status": outcome.status,
        "reason": outcome.reason,
        "retryable": outcome.retryable,
        "usage": None
        if usage is None
        else {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens},
        "text_length": len(text_of(settlement.parts)),
        "first_token_ms": message["first_token_ms"],
        "duration_ms": message["duration_ms"],
        "created_at": message["created_at"],
        "settled_at": now,
    }


def _body(told: dict[str, Any], now: datetime) -> str:
    report = {"type": "reply.settled", "timestamp": now, "data": told}
    return msgspec.json.encode(report).decode()


def _wake() -> None:
    if listener is not None:
        listener()


def claim(most: int, busy: list[int]) -> list[Claimed]:
    """Take deliveries whose time has come, so that no other worker takes them for a while.

    Those of a webhook that is switched off wait, and keep nobody else's from being taken.

    Args:
        busy: webhooks that are waited for already, as much as one may be.
    """
    now = timezone.now()
    lease = timedelta(seconds=conf.webhooks_timeout_seconds()) + _ONE_TO_GO
    with transaction.atomic():
        off = Webhook.objects.filter(enabled=False).values("id")
        can_skip = connection.features.has_select_for_update_skip_locked
        rows = (
            Delivery.objects.filter(state=_State.WAITING, next_at__lte=now)
            .exclude(webhook_id__in=busy)
            .exclude(webhook_id__in=off)
            .order_by("next_at")
            .select_for_update(skip_locked=can_skip)[:most]
        )
        ids = [row.id for row in rows]
        Delivery.objects.filter(id__in=ids).update(next_at=now + lease, attempts=F("attempts") + 1)
        found = Delivery.objects.filter(id__in=ids)
        hooks = Webhook.objects.in_bulk({row.webhook_id for row in found})
        claimed = []
        for row in found:
            hook = hooks.get(row.webhook_id)
            if hook is None:
                row.delete()
            else:
                claimed.append(
                    Claimed(row.id, hook.id, hook.url, hook.secret, row.body, row.attempts)
                )
        return claimed


def finish(claimed: Claimed, outcome: str, *, delivered: bool, final: bool) -> None:
    """Write how an attempt ended.

    Args:
        outcome: a word of ours, or the status that was answered.
        final: there is no use in trying again.
    """
    now = timezone.now()
    changes: dict[str, Any] = {"last_outcome": outcome[:40]}
    if delivered:
        changes |= {"state": _State.DELIVERED, "done_at": now}
    elif final or claimed.attempt >= conf.webhooks_attempts():
        changes |= {"state": _State.DEAD, "done_at": now}
    else:
        changes |= {"next_at": now + pause(claimed.attempt)}
    # By the attempt: who was late, and lost its claim, decides nothing but that it was delivered.
    rows = Delivery.objects.filter(id=claimed.id)
    (rows if delivered else rows.filter(attempts=claimed.attempt)).update(**changes)


def give_back(claimed: Claimed) -> None:
    """Let another worker try at once: this one ends, and nobody knows how far its attempt came."""
    rows = Delivery.objects.filter(id=claimed.id, attempts=claimed.attempt, state=_State.WAITING)
    rows.update(next_at=timezone.now(), attempts=F("attempts") - 1)


def pause(attempt: int) -> timedelta:
    """Return the time to the next attempt: four times as long each time, give or take a fifth."""
    longest = conf.webhooks_retry_seconds() * 4 ** min(attempt - 1, 12)
    jitter = random.uniform(0.8, 1.2)
    return timedelta(seconds=min(longest, _LONGEST_PAUSE_SECONDS) * jitter)


def redeliver(ids: list[UUID]) -> int:
    """Send again, now, with the same id and body."""
    rows = Delivery.objects.filter(id__in=ids)
    return rows.update(state=_State.WAITING, attempts=0, next_at=timezone.now(), done_at=None)


def adopt(guest_id: Any, user_id: Any) -> None:
    """Count the reports of a guest's replies as a user's: they go when that user does."""
    Delivery.objects.filter(owner_key=str(guest_id)).update(owner_key=str(user_id))


def delete_reports_of(sender: Any, *, instance: Person, **rest: Any) -> None:
    """Delete the reports of a person who goes, by whatever way; each holds what it tells."""
    Delivery.objects.filter(owner_key=str(instance.pk)).delete()


def purge() -> int:
    """Delete what was delivered a week ago, given up a month ago, or should have gone by then."""
    now = timezone.now()
    old = Delivery.objects.filter(state=_State.DELIVERED, done_at__lt=now - _DELIVERED_KEPT)
    dead = Delivery.objects.filter(state=_State.DEAD, done_at__lt=now - _DEAD_KEPT)
    # Of a webhook that is switched off: nobody sends it, and nobody gives it up.
    left = Delivery.objects.filter(state=_State.WAITING, next_at__lt=now - _DEAD_KEPT)
    return old.delete()[0] + dead.delete()[0] + left.delete()[0]
