"""Guard text -> its path. The grammar is in the package's docstring."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Final, NoReturn

from lfr.guard.ast import (
    Compare,
    Constant,
    Every,
    Filter,
    GuardError,
    Join,
    Length,
    Not,
    Path,
    Segment,
    Selector,
    Test,
    Value,
)

MAX_DEPTH: Final = 32
"""How many parentheses and filters may stand inside each other."""


def read_guard(text: str) -> tuple[Path, int | None]:
    """The path that a guard is, and the place of the first test in it that mixes `and` and `or` without
    parentheses, from 0, or None. Raises GuardError."""
    reader = _Reader(text)
    if reader.peek() != "$":
        reader.fail("a guard begins with $, the input of its step")
    path = reader.path()
    if reader.peek():
        reader.fail(f"cannot read {reader.peek()[:40]!r} here")
    return path, min(reader.mixed_at, default=None)


_TOKEN = re.compile(
    r"""[ \t\r\n]*+(?:
        (?P<string> "(?:[^"\\]|\\.)*+" | '(?:[^'\\]|\\.)*+' )
      | (?P<number> -?[0-9]++ (?:\.[0-9]++)?+ (?:[eE][+-]?[0-9]++)?+ )
      | (?P<word> [A-Za-z_][A-Za-z0-9_]*+ )
      | (?P<sign> \.\. | [=!<>]= | && | \|\| | [^ \t\r\n] )
      | \Z )""",
    re.VERBOSE | re.DOTALL,
)
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_COMPARISONS: Final = {"=": "=", "==": "=", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_CONSTANTS: Final = {"true": True, "false": False, "null": None}


class _Reader:
    """Where the reading of one guard stands: the token at hand, and how deep it is."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._end = 0
        self._depth = 0
        self.mixed_at: list[int] = []
        self._next()

    def peek(self) -> str:
        """The text of the token at hand; empty at the end."""
        return self._token

    def fail(self, message: str, at: int | None = None) -> NoReturn:
        raise GuardError(message, self._at if at is None else at)

    def path(self) -> Path:
        is_absolute = self._take() == "$"
        segments = []
        while self._token in (".", "..", "["):
            segments.append(self._segment())
        if self._token == "(" and segments:
            self.fail("there is no function in guards but length()")
        if self._token == "-" or self._kind == "number":
            self.fail('a name with other characters is written ["..."]')
        return Path(is_absolute, tuple(segments))

    def _next(self) -> None:
        match = _TOKEN.match(self._text, self._end)
        assert match is not None  # any character is a sign, and at the end there is \Z
        self._kind = match.lastgroup or "end"
        self._token = match[self._kind] if match.lastgroup else ""
        self._end = match.end()
        self._at = self._end - len(self._token)

    def _take(self) -> str:
        token = self._token
        self._next()
        return token

    def _skip(self, *signs: str) -> bool:
        if self._token in signs and self._kind in ("sign", "word"):
            self._next()
            return True
        return False

    def _expect(self, sign: str) -> None:
        if not self._skip(sign):
            found = f"expected {sign!r}, found {self._token[:40]!r}"
            self.fail(found if self._token else f"{sign!r} is missing")

    def _segment(self) -> Segment:
        descends = self._token == ".."
        if self._token != "[":
            self._next()
            if self._kind == "word":
                return Segment((self._name_or_length(),), descends)
            if self._skip("*"):
                return Segment((Every(),), descends)
            if not descends or self._token != "[":
                self.fail("expected a name or *")
        self._next()
        selectors = [self._selector()]
        while self._skip(","):
            selectors.append(self._selector())
        self._expect("]")
        return Segment(tuple(selectors), descends)

    def _name_or_length(self) -> Selector:
        name = self._take()
        if name != "length" or not self._skip("("):
            return name
        self._expect(")")
        return Length()

    def _selector(self) -> Selector:
        if self._kind == "string":
            return self._string()
        if self._skip("*"):
            return Every()
        if self._skip("?"):
            return Filter(self._test())
        start = self._integer()
        if self._token != ":":
            if start is None:
                self.fail('expected a number, a slice, "text", * or ?(...)')
            return start
        self._next()
        stop = self._integer()
        at, step = (self._at, self._integer()) if self._skip(":") else (0, None)
        if step is not None and step < 1:
            self.fail("the step of a slice is at least 1", at)
        return slice(start, stop, step)

    def _integer(self) -> int | None:
        if self._kind != "number":
            return None
        if not _INTEGER.fullmatch(self._token):
            self.fail("expected a whole number of at most 18 digits")
        return int(self._take())

    def _test(self) -> Test:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self.fail(f"more than {MAX_DEPTH} levels of parentheses and filters")
        at, ors = self._at, []

        def either() -> Test:
            tests = self._list(self._plain, "or", "||")
            ors.append(len(tests))
            return _joined(False, tests)

        tests = self._list(either, "and", "&&")
        if len(tests) > 1 and max(ors) > 1:
            self.mixed_at.append(at)
        self._depth -= 1
        return _joined(True, tests)

    def _list(self, part: Callable[[], Test], *words: str) -> list[Test]:
        tests = [part()]
        while self._skip(*words):
            tests.append(part())
        return tests

    def _plain(self) -> Test:
        is_negated = False
        while self._skip("not", "!"):
            is_negated = not is_negated
        if self._skip("("):
            test = self._test()
            self._expect(")")
        else:
            test = self._comparison()
        return Not(test) if is_negated else test

    def _comparison(self) -> Test:
        left = self._value()
        sign = _COMPARISONS.get(self._token)
        if sign is None:
            return left
        self._next()
        return Compare(sign, left, self._value())

    def _value(self) -> Value:
        if self._token in ("$", "@"):
            return self.path()
        if self._kind == "string":
            return Constant(self._string())
        if self._kind == "number":
            return Constant(self._number())
        if self._token in _CONSTANTS:
            return Constant(_CONSTANTS[self._take()])
        if self._token in ("'", '"'):
            self.fail("this text is not closed")
        self.fail('expected a path ($... or @...), a number, "text", true, false or null')

    def _number(self) -> int | float:
        at, text = self._at, self._take()
        try:
            number: int | float = json.loads(text)
        except ValueError:
            self.fail(f"{text[:20]} is no number", at)
        if not math.isfinite(number):
            self.fail(f"{text[:20]} is too big a number", at)
        return number

    def _string(self) -> str:
        at, quoted = self._at, self._take()
        if quoted[0] == "'":
            inside = quoted[1:-1].replace("\\'", "'")
            quoted = '"' + re.sub(r'\\.|"', lambda part: part[0].replace('"', r"\""), inside) + '"'
        try:
            string: str = json.loads(quoted, strict=False)
        except ValueError:
            self.fail(
                'a backslash in text is followed by one of " \\ / b f n r t, or by u and four digits', at
            )
        return string


def _joined(needs_all: bool, tests: list[Test]) -> Test:
    return tests[0] if len(tests) == 1 else Join(needs_all, tuple(tests))
