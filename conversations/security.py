"""Headers that keep foreign content out of the page."""

import secrets
from collections.abc import Awaitable, Callable

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.decorators import async_only_middleware

_POLICY = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self'; "
    "worker-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
    "object-src 'none'"
)
_TRUSTED_TYPES = "; require-trusted-types-for 'script'; trusted-types dompurify holdfast-gatherer"
"""Text becomes HTML by the sanitizer alone, and one file of ours a thread (gathered.js). Only on
our pages: the admin's scripts write HTML."""
_DJANGOS = "django.middleware.csp.ContentSecurityPolicyMiddleware"


@async_only_middleware
def ContentSecurityPolicyMiddleware(
    get_response: Callable[[HttpRequest], Awaitable[HttpResponseBase]],
) -> Callable[[HttpRequest], Awaitable[HttpResponseBase]]:
    """Send a content security policy; `request.csp_nonce` is for the one inline import map.

    To be replaced by Django 6's own middleware on the way to 6.2. Where a project has both, and a
    policy for Django's, that one counts: of two nonces the browser would refuse one.
    """
    if _DJANGOS in settings.MIDDLEWARE and getattr(settings, "SECURE_CSP", None):
        raise MiddlewareNotUsed("Django sends the policy of SECURE_CSP")

    async def middleware(request: HttpRequest) -> HttpResponseBase:
        nonce = secrets.token_urlsafe(16)
        request.csp_nonce = nonce  # type: ignore[attr-defined]
        response = await get_response(request)
        policy = _POLICY.format(nonce=nonce) + (_TRUSTED_TYPES if _is_ours(request) else "")
        response.headers.setdefault("Content-Security-Policy", policy)
        return response

    return middleware


def _is_ours(request: HttpRequest) -> bool:
    return bool(request.resolver_match and "holdfast" in request.resolver_match.app_names)
