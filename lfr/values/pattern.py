"""Regular expressions whose search takes no longer than the text times the expression.

Python's own search tries one way after the other: `(a+)+b` takes years for some texts of forty letters. This
one follows all ways at once (Thompson, "Regular Expression Search Algorithm", 1968). It knows characters,
classes, `.`, groups, `|`, `*`, `+`, `?`, `{n,m}`, `^` and `$`: what needs no way back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from lfr.values.work import LookBudget

MAX_INSTRUCTIONS: Final = 500
MAX_LOOKS: Final = 100_000
"""How many instructions the patterns of one input may follow, character by character: some tenths of a
second of work."""
MAX_TEXT: Final = 2_000
"""Characters that a text to search may have."""

_ATOM: Final = re.compile(
    r"\\[dDwWsSnrtfv]|\\[^\w\s]|\[\^?\]?(?:\\.|[^\]\\])*\]|[^\\\[\](){}*+?|^$]", re.DOTALL
)
_SET_OPERATION: Final = re.compile(r"(?<!\\)\[|--|&&|~~|\|\|")
"""What a later Python may understand as sets of sets."""

_REPEAT: Final = re.compile(r"\{(\d{1,4})(,(\d{0,4}))?\}")
_UNBOUNDED: Final = -1


class BadPattern(ValueError):
    """A text that is no regular expression of the kind that this module knows; the text says why."""


@dataclass(slots=True)
class Pattern:
    """A compiled expression: instructions, each a word and its operands.

    `character` goes on if the next character matches; `split` goes both ways; `begin` and `end` go on at this
    place of the text; `match` ends the search.
    """

    instructions: list[tuple[str, re.Pattern[str] | None, tuple[int, ...]]] = field(default_factory=list)

    def search(self, text: str, budget: LookBudget) -> bool:
        """Return whether a part of the text, of up to MAX_TEXT characters, matches. Each instruction that it
        follows counts. Raises TooMuchWork."""
        current: set[int] = set()
        for position in range(len(text) + 1):
            current = self._follow([0, *current], position, len(text))
            budget.spend(len(current))
            if any(self.instructions[index][0] == "match" for index in current):
                return True
            if position < len(text):
                current = {
                    index + 1
                    for index in current
                    if (regex := self.instructions[index][1]) and regex.fullmatch(text[position])
                }
        return False

    def _follow(self, starts: list[int], position: int, length: int) -> set[int]:
        """Return all instructions that can be reached at this place without another character."""
        reached: set[int] = set()
        while starts:
            index = starts.pop()
            if index in reached:
                continue
            reached.add(index)
            word, _, targets = self.instructions[index]
            if word == "split":
                starts += [index + target for target in targets]
            elif (word == "begin" and position == 0) or (word == "end" and position == length):
                starts.append(index + 1)
        return reached


_Code = list[tuple[str, "re.Pattern[str] | None", tuple[int, ...]]]


@lru_cache(maxsize=256)
def compile_pattern(text: str) -> Pattern:
    """Compile an expression. Raises BadPattern."""
    parser = _Parser(text)
    code = parser.alternatives(0)
    if parser.offset < len(text):
        raise BadPattern(f"no ( stands before the ) at character {parser.offset + 1}")
    return Pattern([*code, ("match", None, ())])


class _Parser:
    """Makes instructions of an expression; their targets are relative to themselves."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.offset = 0

    def alternatives(self, depth: int) -> _Code:
        if depth > 20:
            raise BadPattern("its groups are more than 20 levels deep")
        code = self._sequence(depth)
        while self._accept("|"):
            other = self._sequence(depth)
            code = [
                ("split", None, (1, len(code) + 2)),
                *code,
                ("split", None, (len(other) + 1,)),
                *other,
            ]
            _check_size(code)
        return code

    def _sequence(self, depth: int) -> _Code:
        code: _Code = []
        while self.offset < len(self._text) and self._text[self.offset] not in "|)":
            code += self._repeat(self._atom(depth))
            _check_size(code)
        return code

    def _atom(self, depth: int) -> _Code:
        text, offset = self._text, self.offset
        if self._accept("("):
            if text.startswith("?", self.offset) and not self._accept("?:"):
                raise BadPattern(f"(? at character {offset + 1} is not supported, but (?: is")
            code = self.alternatives(depth + 1)
            if not self._accept(")"):
                raise BadPattern(f"the ( at character {offset + 1} is not closed")
            return code
        if self._accept("^"):
            return [("begin", None, ())]
        if self._accept("$"):
            return [("end", None, ())]
        atom = _ATOM.match(text, offset)
        if atom is None:
            raise BadPattern(f"{text[offset : offset + 2]} at character {offset + 1} is not supported here")
        if _SET_OPERATION.search(atom[0], 1):
            raise BadPattern(
                f"{atom[0]} at character {offset + 1}: write a bracket in a class with a backslash"
            )
        self.offset = atom.end()
        try:
            return [("character", re.compile(atom[0]), ())]
        except re.error as error:
            raise BadPattern(f"{atom[0]}: {error.msg}") from None

    def _repeat(self, code: _Code) -> _Code:
        least, most = 1, 1
        if self._accept("*"):
            least, most = 0, _UNBOUNDED
        elif self._accept("+"):
            least, most = 1, _UNBOUNDED
        elif self._accept("?"):
            least, most = 0, 1
        elif count := _REPEAT.match(self._text, self.offset):
            self.offset = count.end()
            least = int(count[1])
            most = least if count[2] is None else int(count[3]) if count[3] else _UNBOUNDED
            if least > most != _UNBOUNDED:
                raise BadPattern(f"{count[0]} ends before it begins")
        if (least, most) != (1, 1) and self._text[self.offset : self.offset + 1] in ("*", "+", "?"):
            raise BadPattern(f"two repetitions stand together at character {self.offset + 1}")
        if (max(least, most) + 1) * (len(code) + 2) > MAX_INSTRUCTIONS + 10:
            raise BadPattern("it is too long, with its repetitions written out")
        repeated = code * least
        if most == _UNBOUNDED:
            return [*repeated, ("split", None, (1, len(code) + 2)), *code, ("split", None, (-len(code) - 1,))]
        for number in range(most - least, 0, -1):
            rest = number * (len(code) + 1)
            repeated = [*repeated, ("split", None, (1, rest)), *code]
        return repeated

    def _accept(self, word: str) -> bool:
        if not self._text.startswith(word, self.offset):
            return False
        self.offset += len(word)
        return True


def _check_size(code: _Code) -> None:
    if len(code) > MAX_INSTRUCTIONS:
        raise BadPattern("it is too long, with its repetitions written out")
