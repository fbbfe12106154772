"""What a browser needs to install the chat, and to give its tab a face."""

from django.http import HttpRequest, HttpResponseRedirect, JsonResponse
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from conversations import conf

_ICON = "conversations/icons/icon"
PAPER = "#ffffff"
"""As `--paper` of tokens.css in the light theme: what is seen until the page is there."""


def manifest(request: HttpRequest) -> JsonResponse:
    """Describe the app; its scope is whatever prefix the project gave it."""
    home = reverse("holdfast:new")
    return JsonResponse(
        {
            "id": home,
            "name": conf.product_name(),
            "short_name": conf.product_name(),
            "description": _("A chat whose replies cannot be lost."),
            "lang": get_language() or "en",
            "start_url": home,
            "scope": home,
            "display": "standalone",
            "background_color": PAPER,
            "theme_color": PAPER,
            "icons": [
                {"src": static(f"{_ICON}-192.png"), "sizes": "192x192", "type": "image/png"},
                {"src": static(f"{_ICON}-512.png"), "sizes": "512x512", "type": "image/png"},
                {
                    "src": static(f"{_ICON}-maskable-512.png"),
                    "sizes": "512x512",
                    "type": "image/png",
                    "purpose": "maskable",
                },
            ],
        },
        content_type="application/manifest+json",
    )


def favicon(request: HttpRequest) -> HttpResponseRedirect:
    """Lead a browser to the icon."""
    return HttpResponseRedirect(static(f"{_ICON}-192.png"))
