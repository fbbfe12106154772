"""The one file that a form brings."""

from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.utils.translation import gettext as _

from conversations.exceptions import InvalidField


def one_file(request: HttpRequest) -> "UploadedFile[Any]":
    """Read a form and return the file in its field `file`; takes a thread.

    Raises:
        InvalidField: the form cannot be read, or has not exactly one file.
    """
    try:
        given = request.FILES.getlist("file")
    except (MultiPartParserError, UnreadablePostError, SuspiciousOperation):
        raise InvalidField(_("file: the form cannot be read"), field="file") from None
    if len(given) != 1 or not isinstance(given[0], UploadedFile):
        raise InvalidField(_("file: one file is needed"), field="file")
    return given[0]
