"""The title that a conversation gets from its first question. Pure."""

import re
import unicodedata

TITLE_CHARACTERS = 60
_READ_CHARACTERS = 4000
_FEWEST_WORDS = 3
_HTML = (
    "a|abbr|b|blockquote|body|br|center|code|details|div|em|font|form|h[1-6]|head|hr|html|i|img|"
    "input|kbd|li|link|meta|ol|p|pre|script|small|span|strong|style|sub|summary|sup|svg|table|"
    "tbody|td|th|thead|tr|u|ul"
)

_CODE_BLOCK = re.compile(r"^ {0,3}(`{3,}|~{3,}).*?(?:^ {0,3}\1|\Z)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[([^\]\n]*)\]\([^)\n]*\)")
_ADDRESS = re.compile(r"<?\b(?:https?://|ftp://|mailto:|www\.)[^\s<>]+>?", re.IGNORECASE)
_TAG = re.compile(rf"</?(?:{_HTML})(?:\s[^<>]*)?/?>", re.IGNORECASE)
_RULE = re.compile(r"^[ \t]*(?:[-*_=|:][ \t]*){3,}$", re.MULTILINE)
_LINE_MARK = re.compile(r"^[ \t]*(?:#{1,6}[ \t]+|>[ \t]?|[-*+][ \t]+|\d{1,3}[.)][ \t]+)+", re.M)
_TASK_MARK = re.compile(r"^[ \t]*\[[ xX]\][ \t]+", re.MULTILINE)
_EMPHASIS = re.compile(r"(\*{1,3}|_{2,3}|~~|`{1,2})(?=\S)([^\n]{1,500}?)(?<=\S)\1")
_SENTENCE = re.compile(r"(.+?(?:[.!?…](?=\s)|[。！？]))")


def title_of(content: str) -> str:
    """Make a title of a question: its first words, without markup, addresses and code.

    A question that is nothing but these is its own title.
    """
    beginning = content[:_READ_CHARACTERS]
    line = " ".join(_plain(beginning).split()) or " ".join(beginning.split())
    return line if len(line) <= TITLE_CHARACTERS else _shortened(line)


def _plain(text: str) -> str:
    text = _CODE_BLOCK.sub("\n", text)
    text = _LINK.sub(r"\1", text)
    text = _ADDRESS.sub(" ", text)
    text = _TAG.sub(" ", text)
    text = _RULE.sub("", text)
    text = _TASK_MARK.sub("", _LINE_MARK.sub("", text))
    return _EMPHASIS.sub(r"\2", _EMPHASIS.sub(r"\2", text))


def _shortened(line: str) -> str:
    """Keep the first sentence, or else as many words as fit."""
    sentence = _SENTENCE.match(line)
    if sentence and _says_something(sentence[1]) and len(sentence[1]) <= TITLE_CHARACTERS:
        return sentence[1].rstrip(".。")
    at = TITLE_CHARACTERS
    space = line.rfind(" ", 0, at + 1)
    if space >= at // 2:
        return line[:space].rstrip() + "…"
    # Not through a character that consists of several: an accent, a family of emoji.
    while at > 1 and (_joins(line[at]) or line[at - 1] == "\u200d"):
        at -= 1
    return line[:at] + "…"


def _says_something(sentence: str) -> bool:
    """Tell a question from a greeting; scripts without spaces say more in fewer characters."""
    dense = sum(character >= "\u2e80" for character in sentence)
    return len(sentence.split()) >= _FEWEST_WORDS or dense > 2 * _FEWEST_WORDS


def _joins(character: str) -> bool:
    return character == "\u200d" or unicodedata.category(character).startswith("M")
