"""API keys: made once, shown once, found by their digest, revoked."""

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final, NamedTuple

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from conversations.accounts.sessions import recheck
from conversations.models import ApiKey

READ: Final = "read"
CHAT: Final = "chat"
ACCOUNT: Final = "account"

SCOPES: Mapping[str, Promise] = {
    READ: _("read conversations and follow replies"),
    CHAT: _("ask, stop, write, upload and delete"),
    ACCOUNT: _("take along everything that is kept, and delete the account"),
}

_MARK = "hf_"
_SHOWN_CHARACTERS = 9
_LONGEST_CHARACTERS = 200
_USED_EVERY = timedelta(minutes=1)


class Holder(NamedTuple):
    """Whom a key lets in, and to what."""

    user: Any
    key: ApiKey

    def may(self, scope: str) -> bool:
        """Say whether the key is for this; who may ask reads what is answered."""
        return scope in self.key.scopes or (scope == READ and CHAT in self.key.scopes)


def make(owner: Any, name: str, scopes: Iterable[str]) -> tuple[ApiKey, str]:
    """Make a key.

    Returns:
        Its row, and the key itself, which cannot be had again.
    """
    secret = _MARK + secrets.token_urlsafe(32)
    chosen = [scope for scope in SCOPES if scope in set(scopes)]
    key = ApiKey.objects.create(
        owner=owner,
        name=name,
        prefix=secret[:_SHOWN_CHARACTERS],
        digest=_digest(secret),
        scopes=chosen,
    )
    return key, secret


def find(secret: str) -> Holder | None:
    """Return whom a key lets in; None where it is wrong, revoked, or its owner is closed.

    The database compares digests, so the time that it takes says nothing about a key.
    """
    if len(secret) > _LONGEST_CHARACTERS:
        return None
    keys = ApiKey.objects.valid().select_related("owner")
    key = keys.filter(digest=_digest(secret)).first()
    return Holder(key.owner, key) if key is not None and key.owner.is_active else None


def is_stale(key: ApiKey) -> bool:
    """Say whether it is time to write down that a key is used."""
    return key.last_used_at is None or key.last_used_at < timezone.now() - _USED_EVERY


def note_use(key_id: int) -> None:
    """Write down that a key is used; at most once a minute, however many ask at once."""
    now = timezone.now()
    stale = Q(last_used_at=None) | Q(last_used_at__lt=now - _USED_EVERY)
    ApiKey.objects.filter(stale, id=key_id).update(last_used_at=now)


def revoke(keys: "QuerySet[ApiKey]") -> int:
    """Revoke keys; what they hold open is closed within seconds.

    Returns:
        How many were still valid.
    """
    count = 0
    for key in keys.filter(revoked_at__isnull=True):
        rows = ApiKey.objects.filter(pk=key.pk, revoked_at__isnull=True)
        count += rows.update(revoked_at=timezone.now())
        recheck(key.owner_id)
    return count


def given(authorization: str) -> str | None:
    """Return the key that an Authorization header brings; None where it is of another scheme."""
    scheme, _space, secret = authorization.strip().partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
