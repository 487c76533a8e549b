"""The terminal: streams, width, colour. One object, which tests replace."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import BinaryIO, TextIO
from unicodedata import combining, east_asian_width

_COLOURS = {"red": "31", "green": "32", "yellow": "33", "cyan": "36", "dim": "2", "bold": "1"}


@dataclass(frozen=True, slots=True)
class Terminal:
    """Where a command reads and writes.

    out          what was asked for: what a script takes
    err          everything else: progress, notes, errors
    input        stdin, in bytes
    environment  decides on colour: NO_COLOR (no-color.org), TERM
    """

    out: TextIO
    err: TextIO
    input: BinaryIO
    environment: Mapping[str, str] = field(default_factory=dict)

    def print(self, text: str = "") -> None:
        """A line to stdout. Raises OSError if it cannot be written."""
        self.out.write(f"{text}\n")

    def say(self, text: str = "") -> None:
        """A line to stderr. Without a reader of stderr nobody can be told, so that is no error."""
        try:
            self.err.write(f"{text}\n")
            self.err.flush()
        except OSError:
            pass

    @property
    def is_live(self) -> bool:
        """Whether lines on stderr can be drawn again in place."""
        return self.err.isatty() and self.environment.get("TERM", "dumb") != "dumb"

    @property
    def width(self) -> int:
        """Columns. Of a terminal: its own. Else 100, so that what is piped does not depend on a window."""
        return self._size()[0]

    @property
    def height(self) -> int:
        """Lines."""
        return self._size()[1]

    def paint(self, text: str, colour: str, stream: TextIO | None = None) -> str:
        """The text in a colour, if the stream (stdout unless said otherwise) shows colours; "" is none."""
        if not colour or not self._has_colours(self.out if stream is None else stream):
            return text
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"

    def _has_colours(self, stream: TextIO) -> bool:
        environment = self.environment
        return not environment.get("NO_COLOR") and environment.get("TERM") != "dumb" and stream.isatty()

    def _size(self) -> tuple[int, int]:
        for stream in (self.err, self.out):
            try:
                columns, lines = os.get_terminal_size(stream.fileno())
            except (OSError, ValueError):  # no terminal; no file behind it
                continue
            if columns and lines:
                return columns, lines
        return 100, 24


def process_terminal() -> Terminal:
    """The terminal of this process. A stream that was closed at the start becomes one that is nothing."""
    out, err = (_lenient(stream) for stream in (sys.stdout, sys.stderr))
    return Terminal(out, err, sys.stdin.buffer if sys.stdin else io.BytesIO(), os.environ)


def _lenient(stream: TextIO | None) -> TextIO:
    """The stream; what its encoding has no character for is written as `?`, not refused."""
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")
    if isinstance(stream, io.TextIOWrapper):
        with suppress(OSError):  # it writes first what it still holds, and may be unable to
            stream.reconfigure(errors="replace")
    return stream


def printable(text: str) -> str:
    """The text without power over the terminal: control characters are shown escaped, in one line."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def columns(text: str) -> int:
    """How many columns a printable text takes."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text)


def cut(text: str, width: int) -> str:
    """The text in at most `width` columns; what does not fit is replaced by `…`."""
    if columns(text) <= width:
        return text
    kept: list[str] = []
    left = width - 1
    for char in text:
        left -= columns(char)
        if left < 0:
            break
        kept.append(char)
    return "".join(kept) + "…" if width > 0 else ""


def padded(text: str, width: int, *, right: bool = False) -> str:
    """The text in exactly `width` columns, cut or filled with blanks (on the left, if `right`)."""
    text = cut(text, width)
    blanks = " " * (width - columns(text))
    return blanks + text if right else text + blanks
