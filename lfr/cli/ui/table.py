"""Formats tables for people. Columns are as wide as their content; the last one is cut to the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from lfr.cli.ui.terminal import Terminal, display_width, pad, printable, truncate

_GAP = "  "
_LAST_COLUMN_MIN = 12
"""The least width of the last column, however wide the others are."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A coloured text in a table. `colour`: a name that `Terminal.paint` knows, or empty."""

    text: str
    colour: str


Row: TypeAlias = Sequence[str | Cell]
"""The cells of a row. The table escapes their control characters."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. `max_width`, in columns of the terminal, does not limit the last column."""

    heading: str
    max_width: int = 40
    align_right: bool = False


def format_table(
    terminal: Terminal, columns: Sequence[Column], rows: Sequence[Row], *, width: int = 0
) -> list[str]:
    """Return the lines of a table: headings, then rows. The last column has what the others leave of `width`
    (0: that of the terminal), but 12 at least."""
    cells = [[cell if isinstance(cell, Cell) else Cell(cell, "") for cell in row] for row in rows]
    texts = [[printable(cell.text) for cell in row] for row in cells]
    widths = [
        min(column.max_width, max([display_width(column.heading), *(display_width(row[i]) for row in texts)]))
        for i, column in enumerate(columns)
    ]
    used = sum(widths[:-1]) + len(_GAP) * (len(widths) - 1)
    widths[-1] = max(_LAST_COLUMN_MIN, (width or terminal.width) - used)
    headings = _pad_row([column.heading for column in columns], columns, widths)
    lines = [terminal.paint(_GAP.join(headings).rstrip(), "dim")]
    for row, row_texts in zip(cells, texts, strict=True):
        padded = _pad_row(row_texts, columns, widths)
        painted = [terminal.paint(text, cell.colour) for text, cell in zip(padded, row, strict=True)]
        lines.append(_GAP.join(painted).rstrip())
    return lines


def _pad_row(texts: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> list[str]:
    padded = [
        pad(text, width, align_right=column.align_right)
        for text, column, width in zip(texts[:-1], columns, widths, strict=False)
    ]
    return [*padded, truncate(texts[-1], widths[-1])]
