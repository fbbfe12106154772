"""What the templates of the administration need."""

from typing import Any

from django import template
from django.utils.translation import gettext

from conversations.admin.lists import MOST_COUNTED, dates

register = template.Library()


@register.inclusion_tag("admin/date_hierarchy.html")
def quick_dates(changes: Any) -> dict[str, Any]:
    """Show the way to years, months and days."""
    return dates(changes)


@register.simple_tag
def most_counted() -> int:
    """Return how many rows a list counts."""
    return MOST_COUNTED


@register.filter
def lasting(seconds: float) -> str:
    """Say how long something took, briefly."""
    whole = int(seconds)
    if whole < 60:
        return gettext("%(seconds)s s") % {"seconds": whole}
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return gettext("%(minutes)s min %(seconds)s s") % {"minutes": minutes, "seconds": rest}
    hours, minutes = divmod(minutes, 60)
    return gettext("%(hours)s h %(minutes)s min") % {"hours": hours, "minutes": minutes}
