"""A conversation as a document in Markdown. Pure."""

import re
from collections.abc import Mapping
from typing import Any

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")


def opening(title: str, words: Mapping[str, str]) -> str:
    """Write the title."""
    return f"# {' '.join(title.split()) or words['untitled']}\n"


def section(message: dict[str, Any], words: Mapping[str, str]) -> str:
    """Write who said what.

    Args:
        words: in the reader's language: `user`, `assistant`, `attached`, and each status that
            should be told of.
    """
    who = words["user"] if message["role"] == "user" else message["model"] or words["assistant"]
    when = message["created_at"].strftime("%Y-%m-%d %H:%M UTC")
    paragraphs = [f"\n---\n\n**{who}** · {when}"]
    paragraphs += [
        f"*{words['attached']}: {part['attachment']['name']}*"
        for part in message["parts"]
        if part["kind"] == "attachment"
    ]
    if message["content"]:
        paragraphs.append(closed(message["content"].strip("\n")))
    if message["status"] in words:
        paragraphs.append(f"*{words[message['status']]}*")
    return "\n\n".join(paragraphs) + "\n"


def closed(text: str) -> str:
    """Close a fence that a cut reply left open, so that what follows is not taken for code.

    Source: CommonMark 0.31, section 4.5.
    """
    fence = ""
    for line in text.splitlines():
        found = _FENCE.fullmatch(line)
        if not found:
            continue
        marks, rest = found[1], found[2]
        if not fence:
            # Backticks in what follows make it inline code.
            fence = "" if marks[0] == "`" and "`" in rest else marks
        elif marks[0] == fence[0] and len(marks) >= len(fence) and not rest.strip():
            fence = ""
    return f"{text}\n{fence}" if fence else text
