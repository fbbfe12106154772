"""The header that names a file. Pure."""

import unicodedata
from urllib.parse import quote


def disposition(name: str, *, inline: bool = False) -> str:
    """Write a Content-Disposition; the name may have any characters.

    Source: RFC 6266, section 4.3 and appendix D: `filename` for those who know ASCII only, and
        `filename*` for all others.
    """
    kind = "inline" if inline else "attachment"
    name = "".join(one for one in name if one.isprintable())
    if not name:
        return kind
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = plain.replace("\\", "_").replace('"', "_").strip()
    if not plain or plain.startswith("."):
        plain = f"download{plain}"
    written = f'{kind}; filename="{plain}"'
    if plain != name:
        written += f"; filename*=UTF-8''{quote(name.encode(errors='replace'), safe='')}"
    return written
