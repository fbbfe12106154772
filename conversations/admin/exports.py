"""Exports of any selection of a list, streamed."""

from collections.abc import AsyncIterator, Callable
from typing import Any, cast

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from conversations import conf
from conversations.admin.lookups import GuardedAdmin
from conversations.admin.reading import may_read, note_reading
from conversations.exports.api import download
from conversations.exports.bulk import Format, Table


class ExportingAdmin(GuardedAdmin):
    """A list whose rows can be exported: those that are ticked, or all that match."""

    actions = ["export_csv", "export_jsonl"]

    def write_export(self, table: Table, chosen: "QuerySet[Any]") -> AsyncIterator[bytes]:
        """Write what the chosen rows stand for."""
        raise NotImplementedError

    @admin.action(description=_("Export the messages as CSV"), permissions=["view"])
    def export_csv(self, request: HttpRequest, queryset: "QuerySet[Any]") -> HttpResponseBase:
        """Export what is ticked, or all that match, as a table."""
        return self._export(request, queryset, "csv")

    @admin.action(description=_("Export the messages as JSON Lines"), permissions=["view"])
    def export_jsonl(self, request: HttpRequest, queryset: "QuerySet[Any]") -> HttpResponseBase:
        """Export what is ticked, or all that match, as a JSON object in each line."""
        return self._export(request, queryset, "jsonl")

    def get_urls(self) -> list[URLPattern]:
        """Add the downloads of all that a list shows."""
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        view: Callable[..., Any] = self.admin_site.admin_view(self.export_view)
        return [path("export.<str:format>", view, name=name), *super().get_urls()]

    def export_view(self, request: HttpRequest, format: str) -> HttpResponseBase:
        """Export all that match the filters and the search of the address."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if format not in ("csv", "jsonl"):
            raise Http404
        try:
            changes = self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            raise Http404 from None
        return self._export(request, changes.get_queryset(request), cast("Format", format))

    def _export(
        self, request: HttpRequest, chosen: "QuerySet[Any]", format: Format
    ) -> HttpResponseBase:
        table = Table(format, may_read(request))
        said = (
            gettext("Exported messages as %(format)s.")
            if table.readable
            else gettext("Exported messages as %(format)s, without texts.")
        )
        note_reading(request, self.model, said % {"format": format.upper()})
        title = f"{conf.product_name().lower()}-{gettext('messages')}-{timezone.now():%Y-%m-%d}"
        return download(self.write_export(table, chosen), title=title, extension=format)
