"""The content security policy beside Django's own, which came with Django 6."""

import pytest
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient
from django.urls import reverse
from pytest_django import Settings

from conversations.security import ContentSecurityPolicyMiddleware

DJANGOS = "django.middleware.csp.ContentSecurityPolicyMiddleware"


async def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def test_our_policy_gives_way_to_a_policy_of_django_s(settings: Settings) -> None:
    settings.MIDDLEWARE = [DJANGOS, *settings.MIDDLEWARE]
    settings.SECURE_CSP = {"default-src": ["'self'"]}
    with pytest.raises(MiddlewareNotUsed):
        ContentSecurityPolicyMiddleware(page)


@pytest.mark.parametrize("middleware", [[], [DJANGOS]])
async def test_our_policy_stays_where_django_has_none(
    settings: Settings, middleware: list[str]
) -> None:
    settings.MIDDLEWARE = [*middleware, *settings.MIDDLEWARE]
    settings.SECURE_CSP = {}
    response = await ContentSecurityPolicyMiddleware(page)(HttpRequest())
    assert "script-src 'self' 'nonce-" in response.headers["Content-Security-Policy"]


async def test_a_policy_that_a_response_has_is_left_alone() -> None:
    async def stricter(request: HttpRequest) -> HttpResponse:
        return HttpResponse(headers={"Content-Security-Policy": "default-src 'none'"})

    response = await ContentSecurityPolicyMiddleware(stricter)(HttpRequest())
    assert response.headers["Content-Security-Policy"] == "default-src 'none'"


async def test_a_page_s_only_threads_are_files_of_ours(async_client: AsyncClient) -> None:
    page = await async_client.get(reverse("holdfast:new"))
    assert "; worker-src 'self';" in page["Content-Security-Policy"]
    assert page["Content-Security-Policy"].endswith("trusted-types dompurify holdfast-gatherer")


async def test_text_becomes_html_through_the_sanitizer_alone_on_our_own_pages(
    async_client: AsyncClient,
) -> None:
    trusted = "require-trusted-types-for 'script'; trusted-types dompurify"
    page = await async_client.get(reverse("holdfast:new"))
    assert trusted in page["Content-Security-Policy"]
    admin = await async_client.get(reverse("admin:login"))
    assert "trusted-types" not in admin["Content-Security-Policy"]
