"""System checks of the chat settings."""

from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register

from conversations.providers import providers


@register(Tags.compatibility)
def check_providers(**kwargs: Any) -> list[CheckMessage]:
    """Report providers that cannot be made, and what they say of themselves."""
    found: list[CheckMessage] = []
    for alias in providers:
        try:
            found.extend(providers[alias].check())
        except Exception as error:  # a backend's constructor may raise anything
            found.append(
                Error(
                    f"CHAT_PROVIDERS[{alias!r}] cannot be made: {type(error).__name__}.",
                    hint="Check BACKEND and OPTIONS.",
                    id="holdfast_conversations.E001",
                )
            )
    return found
