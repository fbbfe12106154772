"""The chat's settings, each with what holds where a project does not set it; read when needed."""

from typing import Any

from django.conf import settings


def product_name() -> str:
    """Return the name that people read: PRODUCT_NAME."""
    return str(getattr(settings, "PRODUCT_NAME", "Holdfast"))


def product_version() -> str:
    """Return the version that operators read: PRODUCT_VERSION."""
    return str(getattr(settings, "PRODUCT_VERSION", ""))


def guests_allowed() -> bool:
    """Say whether visitors chat without signing in: ALLOW_GUESTS."""
    return bool(getattr(settings, "ALLOW_GUESTS", False))


def signup_allowed() -> bool:
    """Say whether visitors make accounts for themselves: ALLOW_SIGNUP."""
    return bool(getattr(settings, "ALLOW_SIGNUP", False))


def mail_goes_out() -> bool:
    """Say whether e-mails reach anybody: EMAIL_BACKEND."""
    return not str(settings.EMAIL_BACKEND).endswith(".dummy.EmailBackend")


def body_bytes() -> int:
    """Return the size of the largest request body: BODY_BYTES, else Django's own limit."""
    return int(getattr(settings, "BODY_BYTES", settings.DATA_UPLOAD_MAX_MEMORY_SIZE) or 2_621_440)


def attachment_bytes() -> int:
    """Return the size of the largest file that is taken: ATTACHMENT_BYTES."""
    return int(getattr(settings, "ATTACHMENT_BYTES", 20 * 1024 * 1024))


def import_bytes() -> int:
    """Return the size of the largest import, packed or unpacked: IMPORT_BYTES."""
    return int(getattr(settings, "IMPORT_BYTES", 128 * 1024 * 1024))


def cors_allowed_origins() -> list[str]:
    """Return the origins whose pages may use the API with a key: CORS_ALLOWED_ORIGINS."""
    return list(getattr(settings, "CORS_ALLOWED_ORIGINS", ()))


def metrics_token() -> str:
    """Return what lets a program read the figures from elsewhere: METRICS_TOKEN; empty: nothing."""
    return str(getattr(settings, "METRICS_TOKEN", ""))


def user_agent() -> str:
    """Return how we introduce ourselves to other servers."""
    version = product_version()
    return product_name() + (f"/{version}" if version else "")


def retention_days() -> int:
    """Return after how many days without a change conversations go; 0: never. RETENTION_DAYS."""
    return int(getattr(settings, "RETENTION_DAYS", 0))


def webhooks_may_go_inside() -> bool:
    """Say whether webhooks may lead to private addresses: WEBHOOKS_ALLOW_PRIVATE."""
    return bool(getattr(settings, "WEBHOOKS_ALLOW_PRIVATE", False))


def webhooks_timeout_seconds() -> float:
    """Return how long a receiver may take: WEBHOOKS_TIMEOUT_SECONDS."""
    return float(getattr(settings, "WEBHOOKS_TIMEOUT_SECONDS", 30))


def webhooks_retry_seconds() -> float:
    """Return the first pause before another attempt: WEBHOOKS_RETRY_SECONDS."""
    return float(getattr(settings, "WEBHOOKS_RETRY_SECONDS", 5))


def webhooks_attempts() -> int:
    """Return after how many attempts a delivery is given up: WEBHOOKS_ATTEMPTS."""
    return int(getattr(settings, "WEBHOOKS_ATTEMPTS", 10))


def chat_providers() -> dict[str, Any]:
    """Return the providers by alias, the default first: CHAT_PROVIDERS."""
    return dict(getattr(settings, "CHAT_PROVIDERS", {}))
