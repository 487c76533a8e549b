"""What is wrong with the text of a flow, or doubtful: with line, column and a caret under the place."""

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

MAX_SHOWN: Final = 20
"""How many errors of one text are told; the rest is counted."""

_LONGEST: Final = 400
"""Characters of a message."""

_SHOWN_BEFORE: Final = 60
_SHOWN_AFTER: Final = 40
_LINE_END = re.compile(r"\r\n|\n|\r")
_WORD = re.compile(r"->|[:@]?[A-Za-z_](?:[\w:]++|-(?!>))*+|[^\s(<`'\"]")


class Severity(StrEnum):
    """Whether a text with this in it can be run."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong at a place.

    at     the place: an index into the text, from 0
    hint   what to do about it
    cause  where exactly, if that is not `at` itself but somewhere inside what begins there
    """

    at: int
    message: str
    hint: str = ""
    cause: int | None = None


class BadSyntax(Exception):
    """The text cannot be read any further."""

    def __init__(self, at: int, message: str, hint: str = "", cause: int | None = None) -> None:
        super().__init__(message)
        self.problem = Problem(at, message, hint, cause)


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One error of a flow's text, or one warning.

    place         `SOURCE:LINE:COLUMN`
    line, column  from 1; columns in characters
    message       what is wrong, in one line
    hint          what to do about it, or empty
    source_line   the line as it stands in the text, without its end
    severity      whether it is an error or a warning
    end_column    the column behind the word or sign that stands at the place; None if none does
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
        """The headline, the line of the text, and a caret under the place."""
        return f"{self.headline}\n{_excerpt(self.source_line, self.column - 1)}"


class FlowError(BadInput):
    """The text is no flow. `errors` holds what is wrong with it, in the order of the text."""

    def __init__(self, errors: Iterable[Diagnostic]) -> None:
        self.errors: tuple[Diagnostic, ...] = tuple(errors)
        first, more = self.errors[0], len(self.errors) - 1
        message = f"{first.message} (and {more} more)" if more else first.message
        super().__init__(message, place=first.place, hint=first.hint)

    def __str__(self) -> str:
        """Every error as `SOURCE:LINE:COLUMN: what is wrong`, the line of the text, and a caret line."""
        return format_diagnostics(self.errors)


def format_diagnostics(mistakes: Sequence[Diagnostic]) -> str:
    """The first of these mistakes, each with its line and a caret, and how many more there are."""
    shown = list(map(str, mistakes[:MAX_SHOWN]))
    if len(mistakes) > MAX_SHOWN:
        shown.append(f"and {len(mistakes) - MAX_SHOWN} more")
    return "\n".join(shown)


@dataclass(frozen=True)
class Source:
    """A flow's text, and what messages call it."""

    text: str
    name: str

    @classmethod
    def of(cls, text: str, name: str) -> Source:
        """The text without the byte order mark that some editors put before it."""
        return cls(text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}"), name)

    def error(self, problems: Iterable[Problem]) -> FlowError:
        """The error for these problems."""
        return FlowError(self.mistakes(problems, Severity.ERROR))

    def mistakes(self, problems: Iterable[Problem], severity: Severity) -> list[Diagnostic]:
        """These problems, each once, in the order of the text."""
        lines: dict[int, str] = {}
        ordered = sorted(dict.fromkeys(problems), key=lambda problem: problem.at)
        return [self._mistake(problem, severity, lines) for problem in ordered]

    def line_column(self, at: int) -> tuple[int, int]:
        """Line and column, both from 1, of the character at this index."""
        line = bisect_right(self._line_starts, at)
        return line, at - self._line_starts[line - 1] + 1

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in _LINE_END.finditer(self.text))]

    def _mistake(self, problem: Problem, severity: Severity, lines: dict[int, str]) -> Diagnostic:
        """`lines` holds those that are cut out already: a long one with many errors is kept once."""
        line, column = self.line_column(problem.at)
        if line not in lines:
            start = self._line_starts[line - 1]
            end = _LINE_END.search(self.text, start)
            lines[line] = self.text[start : end.start() if end else len(self.text)]
        message = problem.message
        if problem.cause is not None:
            message += ", at line {}, column {}".format(*self.line_column(problem.cause))
        word = _WORD.match(self.text, problem.at)
        return Diagnostic(
            place=f"{self.name}:{line}:{column}",
            line=line,
            column=column,
            message=_one_line(message),
            hint=_one_line(problem.hint),
            source_line=lines[line],
            severity=severity,
            end_column=column + len(word[0]) if word else None,
        )


def _excerpt(line: str, at: int) -> str:
    """The line, cut around the place if it is long, and a second line with the caret."""
    start = at - _SHOWN_BEFORE if at > _SHOWN_BEFORE + 20 else 0
    end = at + _SHOWN_AFTER if len(line) > at + _SHOWN_AFTER + 20 else len(line)
    before = ("…" if start else "") + _printable(line[start:at])
    after = _printable(line[at:end]) + ("…" if end < len(line) else "")
    return f"    {before}{after}\n    {''.join(map(_blank, before))}^"


def _one_line(text: str) -> str:
    """The text as it can stand in a message: names may be as long as the text of the flow."""
    cut = text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
    return _printable(cut.replace("\t", " "))


def _printable(text: str) -> str:
    """Without what would move the cursor or colour the terminal."""
    return "".join(
        char if char.isprintable() or char == "\t" else "\N{REPLACEMENT CHARACTER}" for char in text
    )


def _blank(char: str) -> str:
    """White space as wide as the character: a tab stays a tab, wide letters take two columns."""
    if char == "\t" or combining(char):
        return char if char == "\t" else ""
    return "  " if east_asian_width(char) in "WF" else " "
