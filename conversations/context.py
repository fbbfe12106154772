"""What every template may name."""

from django.conf import settings
from django.http import HttpRequest


def product(request: HttpRequest) -> dict[str, str]:
    """Return the product's name and version."""
    return {"product_name": settings.PRODUCT_NAME, "product_version": settings.PRODUCT_VERSION}
