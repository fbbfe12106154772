"""Responses that stream: events, text, lines, tables and files; see `docs/streaming-responses.md`.

All close what they hold when the client goes, and hold neither thread nor database connection
while they wait.
"""

from streaming.responses.coalescing import coalesced
from streaming.responses.disposition import disposition
from streaming.responses.events import EventStreamResponse, ItemError
from streaming.responses.files import Download, FileStreamResponse, file_in, serve_file
from streaming.responses.keyset import pages
from streaming.responses.slots import Slots, refusal
from streaming.responses.stream import StreamResponse, open_streams
from streaming.responses.tables import TableResponse, as_csv, as_jsonl
from streaming.responses.text import LinesStreamResponse, TextStreamResponse, WrittenFileResponse
from streaming.sse import ServerEvent

__all__ = [
    "Download",
    "EventStreamResponse",
    "FileStreamResponse",
    "ItemError",
    "LinesStreamResponse",
    "ServerEvent",
    "Slots",
    "StreamResponse",
    "TableResponse",
    "TextStreamResponse",
    "WrittenFileResponse",
    "as_csv",
    "as_jsonl",
    "coalesced",
    "disposition",
    "file_in",
    "open_streams",
    "pages",
    "refusal",
    "serve_file",
]
