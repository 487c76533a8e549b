"""Errors and warnings about a flow text: line and column, and an excerpt with a caret under the location."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Final
from unicodedata import combining, east_asian_width

from lfr.errors import BadInput
from lfr.values.texts import cut

MAX_SHOWN: Final = 20
"""How many errors of one text are shown in full; the others are counted."""

_MAX_MESSAGE: Final = 400
"""Characters of a message."""

_EXCERPT_BEFORE: Final = 60
_EXCERPT_AFTER: Final = 40
_LINE_END = re.compile(r"\r\n|\n|\r")
_WORD = re.compile(r"->|[:@]?[A-Za-z_](?:[\w:]++|-(?!>))*+|[^\s(<`'\"]")


class Severity(StrEnum):
    """An error is a certain mistake: the text does not compile, or what it asks for does not exist. A warning
    is about what probably means something else."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """An error or a warning at an offset, before line and column are computed.

    offset    the index into the text, from 0
    hint      what to do about it
    cause     the offset of the exact spot, if that is inside what begins at `offset`
    is_error  of a text that compiles: whether this is an error all the same, not a warning
    """

    offset: int
    message: str
    hint: str = ""
    cause: int | None = None
    is_error: bool = False


class FatalProblem(Exception):
    """A problem after which the text cannot be processed any further."""

    def __init__(self, offset: int, message: str, hint: str = "", cause: int | None = None) -> None:
        super().__init__(message)
        self.problem = Problem(offset, message, hint, cause)


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """An error or a warning about a flow text, with its location.

    place         `SOURCE:LINE:COLUMN`
    line, column  from 1; columns in characters
    message       what is wrong, in one line
    hint          what to do about it, or empty
    source_line   the line of the text, without its line end
    end_column    the column after the token at the location; None if there is no token
    """

    place: str
    line: int
    column: int
    message: str
    hint: str
    source_line: str
    severity: Severity = Severity.ERROR
    end_column: int | None = None

    @property
    def headline(self) -> str:
        """`PLACE: message (hint)`, with `warning: ` before the message of a warning."""
        hint = f" ({self.hint})" if self.hint else ""
        warning = "warning: " if self.severity is Severity.WARNING else ""
        return f"{_printable(self.place)}: {warning}{self.message}{hint}"

    def __str__(self) -> str:
        """The headline, the line of the text, and a caret under the location."""
        return f"{self.headline}\n{_excerpt(self.source_line, self.column - 1)}"


class FlowError(BadInput):
    """A text that does not compile. `errors` holds its diagnostics in the order of the text."""

    def __init__(self, errors: Iterable[Diagnostic]) -> None:
        self.errors: tuple[Diagnostic, ...] = tuple(errors)
        first, more = self.errors[0], len(self.errors) - 1
        message = f"{first.message} (and {more} more)" if more else first.message
        super().__init__(message, place=first.place, hint=first.hint)

    def __str__(self) -> str:
        """The errors as `format_diagnostics` shows them."""
        return format_diagnostics(self.errors)


def format_diagnostics(diagnostics: Sequence[Diagnostic]) -> str:
    """Return the first `MAX_SHOWN` diagnostics with their excerpts, and the number of the others."""
    blocks = list(map(str, diagnostics[:MAX_SHOWN]))
    if len(diagnostics) > MAX_SHOWN:
        blocks.append(f"and {len(diagnostics) - MAX_SHOWN} more")
    return "\n".join(blocks)


@dataclass(frozen=True)
class SourceText:
    """A flow text and its name in messages."""

    text: str
    name: str

    @classmethod
    def of(cls, text: str, name: str) -> SourceText:
        """Return the source of a text, without the byte order mark that some editors put before it."""
        return cls(text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}"), name)

    def error(self, problems: Iterable[Problem]) -> FlowError:
        """Return the error that reports these problems."""
        return FlowError(self.diagnostics(problems, Severity.ERROR))

    def diagnostics(self, problems: Iterable[Problem], severity: Severity) -> list[Diagnostic]:
        """Return a diagnostic for each distinct problem, in the order of the text."""
        lines: dict[int, str] = {}
        ordered = sorted(dict.fromkeys(problems), key=lambda problem: problem.offset)
        return [self._diagnostic(problem, severity, lines) for problem in ordered]

    def _line_column(self, offset: int) -> tuple[int, int]:
        """Return the line and the column of an offset, both from 1."""
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in _LINE_END.finditer(self.text))]

    def _diagnostic(self, problem: Problem, severity: Severity, lines: dict[int, str]) -> Diagnostic:
        """Build a diagnostic. `lines` caches source lines, so that a long one is stored once."""
        line, column = self._line_column(problem.offset)
        if line not in lines:
            start = self._line_starts[line - 1]
            end = _LINE_END.search(self.text, start)
            lines[line] = self.text[start : end.start() if end else len(self.text)]
        message = problem.message
        if problem.cause is not None:
            message += ", at line {}, column {}".format(*self._line_column(problem.cause))
        word = _WORD.match(self.text, problem.offset)
        return Diagnostic(
            place=f"{self.name}:{line}:{column}",
            line=line,
            column=column,
            message=_one_line(message),
            hint=_one_line(problem.hint),
            source_line=lines[line],
            severity=Severity.ERROR if problem.is_error else severity,
            end_column=column + len(word[0]) if word else None,
        )


def _excerpt(line: str, offset: int) -> str:
    """Return the line, shortened around the location, and a line with the caret."""
    start = offset - _EXCERPT_BEFORE if offset > _EXCERPT_BEFORE + 20 else 0
    end = offset + _EXCERPT_AFTER if len(line) > offset + _EXCERPT_AFTER + 20 else len(line)
    before = ("…" if start else "") + _printable(line[start:offset])
    after = _printable(line[offset:end]) + ("…" if end < len(line) else "")
    return f"    {before}{after}\n    {''.join(map(_blank, before))}^"


def _one_line(text: str) -> str:
    """Return the text, shortened: a name in it may be as long as the flow."""
    return _printable(cut(text, _MAX_MESSAGE).replace("\t", " "))


def _printable(text: str) -> str:
    """Replace every character that could move the cursor or colour the terminal."""
    chars = (char if char.isprintable() or char == "\t" else "\N{REPLACEMENT CHARACTER}" for char in text)
    return "".join(chars)


def _blank(char: str) -> str:
    """Return white space as wide as the character; wide letters take two columns."""
    if char == "\t" or combining(char):
        return char if char == "\t" else ""
    return "  " if east_asian_width(char) in "WF" else " "
