"""The documents for users: their blocks of code, and the command lines in them."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]

PAGES = {
    str(path.relative_to(ROOT)): path.read_text() for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"))
}
"""The text of each page by its path."""


class CommandLine(NamedTuple):
    """A command line in a page, without a comment behind it. `is_whole`: it stands in a block, not in a
    sentence."""

    page: str
    text: str
    is_whole: bool

    @property
    def words(self) -> list[str]:
        """The words of the command line, as a shell splits them."""
        return shlex.split(self.text, comments=True)


def blocks(page: str) -> list[str]:
    """Return the indented blocks of a page, in their order. A blank line inside a block does not end it."""
    lines = PAGES[page].splitlines()
    is_code = [
        line.startswith("    ")
        or (
            not line
            and 0 < number < len(lines) - 1
            and all(lines[n].startswith("    ") for n in (number - 1, number + 1))
        )
        for number, line in enumerate(lines)
    ]
    groups = groupby(zip(lines, is_code, strict=True), lambda pair: pair[1])
    return [textwrap.dedent("\n".join(line for line, _ in group)) for is_block, group in groups if is_block]


def block(page: str, words: str) -> str:
    """Return the only block of a page with these words in it."""
    (text,) = (text for text in blocks(page) if words in text)
    return text


def command_lines(program: str) -> Iterator[CommandLine]:
    """Yield the command lines that begin with a program, such as `lfr`, in blocks and in sentences."""
    for page, text in PAGES.items():
        for each in blocks(page):
            for line in each.replace("\\\n", " ").splitlines():
                if line.startswith(f"{program} "):
                    yield CommandLine(page, line, True)
        for line in re.findall(rf"`({re.escape(program)} [^`]+)`", text):
            yield CommandLine(page, line, False)
