"""Search through titles and texts in any script, and the words around what was found.

Upper and lower case are one in every script. PostgreSQL compares in capitals, as its locale has
them (one without a language, `C`, knows ASCII only). SQLite's LIKE folds ASCII only; a word with
other letters that have a case goes through its REGEXP, which Django implements with Python's `re`.
Neither takes `ß` for `ss`, nor a letter for the same one without its accent.
"""

import re
from collections.abc import Iterable
from uuid import UUID

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.utils.translation import gettext as _

from conversations.exceptions import InvalidField
from conversations.models import Conversation, Message
from streaming.transcript import is_storable

SEARCH_CHARACTERS = 200
_MOST_WORDS = 8
_BEFORE_CHARACTERS = 50
_EXCERPT_CHARACTERS = 180
_PLAIN = re.compile(r"[\x00-\x7f]+")
_MARKS = re.compile(r"\*{2,}|`+|~{2}|(?:^|(?<=\n))[ \t]*(?:#{1,6}|>) |\|(?:[ \t]*:?-+:?[ \t]*\|)*")


def words_of(search: str) -> list[str]:
    """Split what a person looks for.

    Raises:
        InvalidField: too long, or with characters that no text has.
    """
    if not is_storable(search):
        raise InvalidField(_("search: has characters that no text has"), field="search")
    if len(search) > SEARCH_CHARACTERS:
        raise InvalidField(_("search: is too long"), field="search")
    return search.split()[:_MOST_WORDS]


def matching(words: list[str]) -> Q:
    """Name the conversations whose title, or one of whose messages, has all of these words."""
    return _has_all("title", words) | Q(Exists(_said(words)))


def hits(conversations: Iterable[Conversation], words: list[str]) -> dict[UUID, tuple[UUID, str]]:
    """Find the newest message with all of these words in each conversation.

    Returns:
        The message's id and an excerpt, by conversation; nothing where only the title has them.
    """
    newest = _said(words).order_by("-created_at", "-id").values("id")[:1]
    ids = Conversation.objects.filter(id__in=[one.id for one in conversations]).values_list(
        Subquery(newest), flat=True
    )
    found = Message.objects.filter(id__in=[one for one in ids if one is not None])
    return {
        conversation_id: (message_id, excerpt(content, words))
        for message_id, conversation_id, content in found.values_list(
            "id", "conversation_id", "content"
        )
    }


def excerpt(content: str, words: list[str]) -> str:
    """Cut a piece of a text around the first of these words, in one line."""
    found = [match for word in words if (match := _pattern(word).search(content))]
    at = min((match.start() for match in found), default=0)
    start, end = max(at - _BEFORE_CHARACTERS, 0), at + _EXCERPT_CHARACTERS
    if start:  # at a word's beginning, where there is one
        space = content.find(" ", start, at)
        start = start if space < 0 else space + 1
    piece = content[start:end]
    tidy = _MARKS.sub("", piece)
    if all(_pattern(match[0]).search(tidy) for match in found if match.end() <= end):
        piece = tidy
    before, after = "…" if start else "", "…" if end < len(content) else ""
    return before + " ".join(piece.split()) + after


def _said(words: list[str]) -> QuerySet[Message]:
    said = Message.objects.filter(conversation=OuterRef("pk")).exclude(role=Message.Role.SYSTEM)
    return said.filter(_has_all("content", words))


def _has_all(field: str, words: list[str]) -> Q:
    found, folded = Q(), Q()
    for word in sorted(words, key=len, reverse=True):
        if connection.vendor != "sqlite" or not _folds(word):
            found &= Q(**{f"{field}__icontains": word})
            continue
        # REGEXP takes a tenth of a millisecond for each text: what LIKE can tell is asked first.
        plain = max(_PLAIN.findall(word), key=len, default="")
        found &= Q(**{f"{field}__icontains": plain})
        folded &= Q(**{f"{field}__iregex": re.escape(word)})
    return found & folded


def _folds(word: str) -> bool:
    return any(one.lower() != one.upper() for one in word if not one.isascii())


def _pattern(word: str) -> re.Pattern[str]:
    return re.compile(re.escape(word), re.IGNORECASE)
