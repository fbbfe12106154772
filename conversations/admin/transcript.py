"""The messages of a conversation for the administration: in order, by branch, in pages."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from django.core.paginator import Page, Paginator
from django.utils.safestring import SafeString

from conversations.admin.forms import outcome_badge
from conversations.models import Conversation, Message
from conversations.shapes import message_shape
from streaming.statements import stored_parts

PER_PAGE = 50
_FOLD_CHARACTERS = 1200
_SHOWN_CHARACTERS = 600


class Place(NamedTuple):
    """Where a message stands."""

    message_id: UUID
    number: int
    """Its place in its branch, from 1: the root is 1."""
    visible: bool
    """Whether it is on the branch that its owner sees."""
    forks: bool
    """Whether another branch begins with it."""


class Totals(NamedTuple):
    """What a conversation amounts to."""

    messages: int
    input_tokens: int
    output_tokens: int


class Text(NamedTuple):
    """A part of a message; `rest` is folded away."""

    kind: str
    shown: str
    rest: str
    length: int


class Entry(NamedTuple):
    """A message as the template shows it."""

    place: Place
    message: dict[str, Any]
    provider: str
    outcome: SafeString
    texts: list[Text]
    files: list[dict[str, Any]]


class Transcript(NamedTuple):
    """One page of a conversation."""

    totals: Totals
    page: "Page[Place]"
    pages: list[Any]
    entries: list[Entry]
    in_flight: bool
    readable: bool


def transcript(
    conversation: Conversation, asked: Mapping[str, str], *, readable: bool
) -> Transcript:
    """Read one page of a conversation, and of the rest only what its order needs.

    Args:
        asked: the number of a `page`, or a `message` that is to be on it.
        readable: whether texts and files are shown; without it, who, when and how it ended.
    """
    rows = list(
        conversation.messages.values_list(
            "id", "parent_id", "status", "input_tokens", "output_tokens"
        )
    )
    parents = {message_id: parent_id for message_id, parent_id, *_ in rows}
    totals = Totals(len(rows), sum(row[3] or 0 for row in rows), sum(row[4] or 0 for row in rows))
    running = {row[0] for row in rows if row[2] == Message.Status.RUNNING}
    places = in_order(parents, conversation.head_id)
    paginator = Paginator(places, PER_PAGE)
    page = paginator.get_page(asked.get("page") or _page_with(asked.get("message"), places))
    pages = list(paginator.get_elided_page_range(page.number)) if paginator.num_pages > 1 else []
    entries = _entries(page, running if readable else set())
    if not readable:
        entries = [_closed(entry) for entry in entries]
    return Transcript(totals, page, pages, entries, bool(running), readable)


def _page_with(message_id: str | None, places: list[Place]) -> int:
    if message_id:
        for index, place in enumerate(places):
            if str(place.message_id) == message_id:
                return index // PER_PAGE + 1
    return 1


def in_order(parents: Mapping[UUID, UUID | None], head: UUID | None) -> list[Place]:
    """Put the visible branch first, then each other branch after the one that it leaves.

    Args:
        parents: the parent of each message, in the order in which they were made.
    """
    visible: list[UUID] = []
    while head is not None and head in parents:
        visible.append(head)
        head = parents[head]
    visible.reverse()
    places = [Place(one, number, True, False) for number, one in enumerate(visible, 1)]
    numbers = {place.message_id: place.number for place in places}
    children: defaultdict[UUID | None, list[UUID]] = defaultdict(list)
    for message_id, parent_id in parents.items():
        if message_id not in numbers:
            children[parent_id].append(message_id)
    for root in [None, *visible]:
        # The last first: what is pushed last comes out first.
        waiting = [(one, True) for one in reversed(children.get(root, []))]
        while waiting:
            message_id, forks = waiting.pop()
            parent_id = parents[message_id]
            number = numbers[parent_id] + 1 if parent_id is not None else 1
            numbers[message_id] = number
            places.append(Place(message_id, number, False, forks))
            following = children.get(message_id, [])
            waiting += [(one, one is not following[0]) for one in reversed(following)]
    return places


def _entries(page: "Page[Place]", running: set[UUID]) -> list[Entry]:
    """Read the texts; fragments first, messages after: a reply that was settled since wins."""
    ids = [place.message_id for place in page]
    here = running.intersection(ids)
    live = stored_parts(here) if here else {}
    messages = Message.objects.defer("content", "request_digest").in_bulk(ids)
    entries = []
    for place in page:
        message = messages.get(place.message_id)
        if message is None:
            continue  # deleted since
        shape = message_shape(message, live.get(message.id))
        parts = shape["parts"]
        texts = [_folded(part["kind"], part["text"]) for part in parts if "text" in part]
        files = [part["attachment"] for part in parts if "attachment" in part]
        outcome = outcome_badge(message.status, message.reason)
        entries.append(Entry(place, shape, message.provider, outcome, texts, files))
    return entries


def _closed(entry: Entry) -> Entry:
    """Keep of a message what is no text of anybody."""
    message = {**entry.message, "content": "", "parts": [], "comment": ""}
    return entry._replace(message=message, texts=[], files=[])


def _folded(kind: str, text: str) -> Text:
    if len(text) <= _FOLD_CHARACTERS:
        return Text(kind, text, "", len(text))
    at = text.rfind("\n", _SHOWN_CHARACTERS // 2, _SHOWN_CHARACTERS)
    cut = at + 1 if at >= 0 else _SHOWN_CHARACTERS
    return Text(kind, text[:cut], text[cut:], len(text))
