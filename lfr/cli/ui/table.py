"""Formats tables for people. Columns are as wide as their content, as long as the terminal has room for them.

In a narrow terminal a table first leaves out the columns that say so, then cuts its widest columns; its last
column is cut in any case. So each row stays one line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from lfr.cli.ui.terminal import Terminal, display_width, pad, truncate
from lfr.values.printable import printable

_GAP: Final = "  "
_LAST_COLUMN_MIN: Final = 12
"""The least width of the last column, as long as others can be cut or left out."""

_COLUMN_MIN: Final = 8
"""The width to which a column of a wide table is cut at most."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A coloured text in a table. `colour`: a name that `Terminal.paint` knows, or empty."""

    text: str
    colour: str


Row: TypeAlias = Sequence[str | Cell]
"""The cells of a row. The table escapes their control characters."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. `max_width`, in columns of the terminal, does not limit the last column.

    drop      0: always there; else left out of a table that is too wide, the greatest number first
    is_whole  never cut, so that its text can be copied
    """

    heading: str
    max_width: int = 40
    align_right: bool = False
    drop: int = 0
    is_whole: bool = False


def format_table(
    terminal: Terminal, columns: Sequence[Column], rows: Sequence[Row], *, width: int = 0
) -> list[str]:
    """Return the lines of a table: headings, then rows, none wider than `width` (0: that of the terminal) if
    the columns allow that. The last column has what the others leave of it."""
    width = width or terminal.width
    cells = [[cell if isinstance(cell, Cell) else Cell(cell, "") for cell in row] for row in rows]
    texts = [[printable(cell.text) for cell in row] for row in cells]
    natural = [
        max([display_width(column.heading), *(display_width(row[i]) for row in texts)])
        for i, column in enumerate(columns)
    ]
    visible = _select_columns(columns, natural, width)
    columns = [columns[i] for i in visible]
    cells, texts = [[row[i] for i in visible] for row in cells], [[row[i] for i in visible] for row in texts]
    widths = _fit(columns, [natural[i] for i in visible], width)
    headings = _pad_row([column.heading for column in columns], columns, widths)
    lines = [terminal.paint(_GAP.join(headings).rstrip(), "dim")]
    for row, row_texts in zip(cells, texts, strict=True):
        padded = _pad_row(row_texts, columns, widths)
        painted = [terminal.paint(text, cell.colour) for text, cell in zip(padded, row, strict=True)]
        lines.append(_GAP.join(painted).rstrip())
    return lines


def _select_columns(columns: Sequence[Column], natural: Sequence[int], width: int) -> list[int]:
    """Return the indices of the columns that are visible: all, or those that are left when the others, the
    ones with the greatest `drop` first, have made room."""
    visible = list(range(len(columns)))
    for i in sorted(visible, key=lambda i: -columns[i].drop):
        least = _least_width([columns[i] for i in visible], [natural[i] for i in visible])
        if not columns[i].drop or least <= width:
            break
        visible.remove(i)
    return visible


def _least_width(columns: Sequence[Column], natural: Sequence[int]) -> int:
    """Return the width of a table that is not cut but for its last column and the maxima of the others."""
    last = natural[-1] if columns[-1].is_whole else min(natural[-1], _LAST_COLUMN_MIN)
    others = sum(_limited(column, size) for column, size in zip(columns[:-1], natural, strict=False))
    return others + last + len(_GAP) * (len(columns) - 1)


def _limited(column: Column, natural: int) -> int:
    return natural if column.is_whole else min(column.max_width, natural)


def _fit(columns: Sequence[Column], natural: Sequence[int], width: int) -> list[int]:
    """Return the widths of the columns: the widest are cut until the table fits or all are at the least
    width."""
    widths = [_limited(column, size) for column, size in zip(columns, natural, strict=True)]
    gaps = len(_GAP) * (len(widths) - 1)
    last = natural[-1] if columns[-1].is_whole else min(natural[-1], _LAST_COLUMN_MIN)
    while sum(widths[:-1]) + gaps + last > width:
        candidates = [
            i for i in range(len(widths) - 1) if not columns[i].is_whole and widths[i] > _COLUMN_MIN
        ]
        if not candidates:
            break
        widths[max(candidates, key=lambda i: widths[i])] -= 1
    rest = width - sum(widths[:-1]) - gaps
    widths[-1] = natural[-1] if columns[-1].is_whole else max(_COLUMN_MIN, rest)
    return widths


def _pad_row(texts: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> list[str]:
    padded = [
        pad(text, width, align_right=column.align_right)
        for text, column, width in zip(texts[:-1], columns, widths, strict=False)
    ]
    return [*padded, truncate(texts[-1], widths[-1])]
