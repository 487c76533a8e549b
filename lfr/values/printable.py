"""Makes texts harmless on their way to a terminal or a log: reasons of workers, phrases of servers, names.

Python calls a character printable unless it is a control character (C0, DEL, C1: ESC, line breaks), a format
character (marks of direction, of zero width), a separator other than the blank, a surrogate, or unassigned.
"""

from __future__ import annotations

import json
from collections.abc import Sequence


def printable(text: str) -> str:
    """Return the text in one line, with what is not printable escaped so that it has no effect."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text
    )


def printable_lines(text: str) -> str:
    """Return a text of several lines, each as `printable`, and all but the first indented, so that none looks
    like the beginning of another text."""
    if text.isprintable():
        return text
    return "\n  ".join(map(printable, text.splitlines()))


def printable_json(text: str) -> str:
    """Return a JSON text in one line that means the same: what is not printable in its strings is escaped as
    JSON does, and other white space is blanks."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else " " if char in "\t\n\r" else _json_escape(char) for char in text
    )


def printable_json_lines(texts: Sequence[str]) -> str:
    """Return JSON texts as lines, each as `printable_json`."""
    joined = "\n".join(texts) + "\n" if texts else ""
    # Of the control characters JSON has these three between values, and DEL in strings.
    is_printable = joined.isascii() and joined.count("\n") == len(texts)
    if is_printable and not any(char in joined for char in "\t\r\x7f"):
        return joined
    return "".join(printable_json(text) + "\n" for text in texts)


def _json_escape(char: str) -> str:
    return "\\u007f" if char == "\x7f" else json.dumps(char)[1:-1]  # DEL is ASCII: json.dumps leaves it
