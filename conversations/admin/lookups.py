"""What an address may narrow a list by."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import FieldDoesNotExist
from django.db.models.constants import LOOKUP_SEP
from django.http import HttpRequest


class GuardedAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """A list that is narrowed by what it offers and by ids, whoever asks."""

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Refuse other columns, which Django allows: `content__startswith` would tell a text."""
        filters = self.list_filter if request is None else self.get_list_filter(request)
        offered = {self.date_hierarchy, *map(_name, filters)}
        column, is_id = _reached(self.opts, lookup)
        known = is_id or column in offered or lookup in offered
        return known and super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]


def _name(offered: Any) -> Any:
    """Name what a filter asks for: a column, or a word of its own."""
    one = offered[0] if isinstance(offered, list | tuple) else offered
    return getattr(one, "parameter_name", one)


def _reached(opts: Any, lookup: str) -> tuple[str, bool]:
    """Return the column that a lookup leads to, and whether that is an id."""
    found, is_id = [], False
    for part in lookup.split(LOOKUP_SEP):
        try:
            field = opts.get_field(part)
        except FieldDoesNotExist:
            break
        found.append(part)
        is_id = field.is_relation or field.primary_key
        if field.related_model is None:
            break
        opts = field.related_model._meta
    return LOOKUP_SEP.join(found), is_id
