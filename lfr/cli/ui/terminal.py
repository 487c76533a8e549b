"""The terminal: streams, width, colour. One object, so that tests can replace it."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import BinaryIO, Final, TextIO
from unicodedata import combining, east_asian_width

from lfr.errors import LfrError
from lfr.values.json import Json
from lfr.values.printable import printable

_COLOURS = {"red": "31", "green": "32", "yellow": "33", "cyan": "36", "dim": "2", "bold": "1"}

_OWN: Final = re.compile(rf"(\x1b\[(?:0|{'|'.join(_COLOURS.values())})m|[\n\t])")
"""What a command writes itself besides printable characters: colours, line breaks, tabs."""


@dataclass(frozen=True, slots=True)
class Terminal:
    """The streams of a command.

    out          stdout: the result, for scripts
    err          stderr: everything else, such as progress, notes, errors
    input        stdin, in bytes
    environment  decides on colour: NO_COLOR (no-color.org), TERM
    """

    out: TextIO
    err: TextIO
    input: BinaryIO
    environment: Mapping[str, str] = field(default_factory=dict)

    def print(self, text: str = "") -> None:
        """Write a line to stdout. Raises OSError if that is not possible."""
        self.out.write(f"{_harmless(text)}\n")

    def print_lines(self, lines: Iterable[str]) -> None:
        """Write lines to stdout. Raises as `print`."""
        self.out.writelines(f"{_harmless(line)}\n" for line in lines)

    def print_json(self, value: Json) -> None:
        """Write JSON to stdout for programs: indented, and in ASCII, which every encoding can take."""
        self.out.write(f"{json.dumps(value, indent=2)}\n")

    def print_err(self, text: str = "") -> None:
        """Write a line to stderr. Ignores an OSError: without stderr, no place could report it."""
        try:
            self.err.write(f"{_harmless(text)}\n")
            self.err.flush()
        except OSError:
            pass

    def print_error(self, error: LfrError) -> None:
        """Write an error to stderr in one line; those of a flow each have their line, for editors."""
        is_of_flow = hasattr(error, "errors")
        self.print_err(str(error) if is_of_flow else f"lfr: {printable(str(error))}")

    @property
    def is_live(self) -> bool:
        """Whether lines on stderr can be redrawn in place: it is a terminal, and not a dumb one."""
        return self.err.isatty() and self.environment.get("TERM", "dumb") != "dumb"

    @property
    def width(self) -> int:
        """The width in columns. Without a terminal 100, so that piped output does not depend on a window."""
        return self._size()[0]

    @property
    def height(self) -> int:
        """The height in lines; without a terminal 24."""
        return self._size()[1]

    def paint(self, text: str, colour: str, stream: TextIO | None = None) -> str:
        """Return the text in a colour if the stream (default: stdout) shows colours. The colour may be ""."""
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
            except (OSError, ValueError):  # not a terminal; a stream without a file descriptor
                continue
            if columns and lines:
                return columns, lines
        return 100, 24


def process_terminal() -> Terminal:
    """Return the terminal of this process. A stream that was closed at the start becomes /dev/null."""
    out, err = (_lenient(stream) for stream in (sys.stdout, sys.stderr))
    return Terminal(out, err, sys.stdin.buffer if sys.stdin else io.BytesIO(), os.environ)


def _lenient(stream: TextIO | None) -> TextIO:
    """Return the stream, set to write `?` for a character that its encoding does not have."""
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")
    if isinstance(stream, io.TextIOWrapper):
        with suppress(OSError):  # it flushes first, and that may fail
            stream.reconfigure(errors="replace")
    return stream


def _harmless(text: str) -> str:
    """Return what a command writes without anything that could control the terminal but colours.

    Whoever puts a text from outside into a line makes it `printable` first: it may not break the line either.
    This is for what somebody forgets.
    """
    if text.isprintable():
        return text
    return "".join(part if number % 2 else printable(part) for number, part in enumerate(_OWN.split(text)))


def display_width(text: str) -> int:
    """Return how many columns a printable text takes."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text)


def truncate(text: str, width: int) -> str:
    """Return the text in at most `width` columns; `…` replaces the rest."""
    if display_width(text) <= width:
        return text
    head: list[str] = []
    free_width = width - 1
    for char in text:
        free_width -= display_width(char)
        if free_width < 0:
            break
        head.append(char)
    return "".join(head) + "…" if width > 0 else ""


def pad(text: str, width: int, *, align_right: bool = False) -> str:
    """Return the text in exactly `width` columns, truncated or filled with blanks."""
    text = truncate(text, width)
    blanks = " " * (width - display_width(text))
    return blanks + text if align_right else text + blanks
