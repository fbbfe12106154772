"""The reasons of endings in words; `docs/protocol.md` says what each means."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

WORDS: dict[str, str | Promise] = {
    "stop": _("finished"),
    "length": _("length"),
    "content_filter": _("content filter"),
    "tool_calls": _("tool calls"),
    "user": _("by the user"),
    "deleted": _("deleted"),
    "client_disconnected": _("client disconnected"),
    "shutdown": _("shutdown"),
    "worker_lost": _("worker lost"),
    "upstream_unreachable": _("upstream unreachable"),
    "upstream_refused": _("upstream refused"),
    "upstream_rate_limited": _("upstream rate limited"),
    "upstream_error": _("upstream error"),
    "upstream_reset": _("upstream reset"),
    "upstream_incomplete": _("upstream incomplete"),
    "upstream_bad_data": _("upstream bad data"),
    "no_progress": _("no progress"),
    "deadline": _("deadline"),
    "storage_unavailable": _("storage unavailable"),
    "internal": _("internal error"),
}


def in_words(reason: str) -> str:
    """Say a reason; one that is not known here is shown as it is."""
    return str(WORDS.get(reason, reason.replace("_", " ")))
