"""Tables for people: columns as wide as what is in them, the last one cut to the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lfr.cli.ui.terminal import Terminal, columns, cut, padded, printable

_GAP = "  "
_LEAST = 12
"""Columns that the last one keeps, however wide the others are."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A text in a table; any text, for control characters are shown escaped. `colour` may be empty."""

    text: str
    colour: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `most`: columns of the terminal that it takes at most; `right`: numbers and durations."""

    heading: str
    most: int = 40
    right: bool = False


def draw_table(
    terminal: Terminal, headings: Sequence[Column], rows: Sequence[Sequence[Cell]], *, width: int = 0
) -> list[str]:
    """The lines of a table. The last column gets what is left of `width` (of the terminal, if 0)."""
    texts = [[printable(cell.text) for cell in row] for row in rows]
    widths = [
        min(column.most, max([columns(column.heading), *(columns(row[place]) for row in texts)]))
        for place, column in enumerate(headings)
    ]
    left = (width or terminal.width) - sum(widths[:-1]) - len(_GAP) * (len(widths) - 1)
    widths[-1] = max(_LEAST, left)
    lines = [terminal.paint(_line([column.heading for column in headings], headings, widths), "dim")]
    for row, line in zip(rows, texts, strict=True):
        shown = _pad(line, headings, widths)
        painted = [terminal.paint(text, cell.colour) for text, cell in zip(shown, row, strict=True)]
        lines.append(_GAP.join(painted).rstrip())
    return lines


def _line(texts: Sequence[str], headings: Sequence[Column], widths: Sequence[int]) -> str:
    return _GAP.join(_pad(texts, headings, widths)).rstrip()


def _pad(texts: Sequence[str], headings: Sequence[Column], widths: Sequence[int]) -> list[str]:
    padded_texts = [
        padded(text, width, right=column.right)
        for text, column, width in zip(texts[:-1], headings, widths, strict=False)
    ]
    return [*padded_texts, cut(texts[-1], widths[-1])]
