"""What every page of ours has in its head and at its foot, whichever view shows it."""

from dataclasses import dataclass

from django import template
from django.conf import settings
from django.http import HttpRequest
from django.template import Context
from django.urls import reverse
from django.utils.translation import get_language_info

from conversations import conf
from conversations.accounts.identity import sign_in_is_ours

register = template.Library()

THEME_COOKIE = "holdfast_theme"
_LOCALE = "django.middleware.locale.LocaleMiddleware"


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """How a page looks to the person who asked for it."""

    product_name: str
    theme: str
    """`light`, `dark`, or empty: as the person's system is."""
    path: str
    """Where the page is, to come back to."""
    languages: list[tuple[str, str]]
    """Codes and their own names for themselves; empty where there is no choice."""


@register.simple_tag(takes_context=True)
def look(context: Context) -> Look:
    """Give what a page's template needs beside what its view gave it."""
    request: HttpRequest | None = getattr(context, "request", None)
    cookies = request.COOKIES if request is not None else {}
    theme = cookies.get(THEME_COOKIE, "")
    return Look(
        product_name=conf.product_name(),
        theme=theme if theme in ("light", "dark") else "",
        path=request.get_full_path() if request is not None else reverse("holdfast:new"),
        languages=languages(),
    )


def languages() -> list[tuple[str, str]]:
    """List the languages that a person may choose: those we speak, where the choice has effect."""
    if _LOCALE not in settings.MIDDLEWARE:
        return []
    offered = {code for code, _ in settings.LANGUAGES}
    found = [code for code in ("en", "zh-hans") if code in offered]
    return [(code, get_language_info(code)["name_local"]) for code in found] if found[1:] else []


@register.simple_tag
def account_ways() -> dict[str, str]:
    """Name the ways to an account; empty where there is none."""
    ours = sign_in_is_ours()
    return {
        "sign_up": reverse("holdfast:sign_up") if ours and conf.signup_allowed() else "",
        "sign_out": reverse("holdfast:sign_out") if ours else "",
        "keys": reverse("holdfast:keys"),
        "password": reverse("holdfast:password") if ours else "",
        "reset": reverse("holdfast:reset") if ours and conf.mail_goes_out() else "",
    }
