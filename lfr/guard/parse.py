"""Parses the text of a guard into its path. The grammar is in the package's docstring."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Final, NoReturn

from lfr.guard import ast
from lfr.guard.ast import GuardError

MAX_DEPTH: Final = 32
"""How many parentheses and filters may be nested."""


def parse_path(text: str) -> tuple[ast.Path, int | None]:
    """Parse a guard; return its path, and the offset of the first test that mixes `and` and `or` without
    parentheses, or None. Raises GuardError."""
    parser = _Parser(text)
    if parser.token != "$":
        parser.fail("a guard begins with $, the input of its step")
    path = parser.path()
    if parser.token:
        parser.fail(f"cannot read {parser.token[:40]!r} here")
    return path, min(parser.mixed_offsets, default=None)


_TOKEN = re.compile(
    r"""[ \t\r\n]*+(?:
        (?P<string> "(?:[^"\\]|\\.)*+" | '(?:[^'\\]|\\.)*+' )
      | (?P<number> -?[0-9]++ (?:\.[0-9]++)?+ (?:[eE][+-]?[0-9]++)?+ )
      | (?P<word> [A-Za-z_][A-Za-z0-9_]*+ )
      | (?P<symbol> \.\. | [=!<>]= | && | \|\| | [^ \t\r\n] )
      | \Z )""",
    re.VERBOSE | re.DOTALL,
)
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_OPERATORS: Final = {"=": "=", "==": "=", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_CONSTANTS: Final = {"true": True, "false": False, "null": None}


class _Parser:
    """A parser with one token of lookahead; `token` is its text, empty at the end."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._end = 0
        self._depth = 0
        self.token = ""
        self.mixed_offsets: list[int] = []
        self._scan()

    def fail(self, message: str, offset: int | None = None) -> NoReturn:
        raise GuardError(message, self._offset if offset is None else offset)

    def path(self) -> ast.Path:
        is_absolute = self._advance() == "$"
        segments = []
        while self.token in (".", "..", "["):
            segments.append(self._segment())
        if self.token == "(" and segments:
            self.fail("length() is the only function in guards")
        if self.token == "-" or self._kind == "number":
            self.fail('a name with other characters is written ["..."]')
        return ast.Path(is_absolute, tuple(segments))

    def _scan(self) -> None:
        match = _TOKEN.match(self._text, self._end)
        assert match is not None  # any character is a symbol, and \Z matches at the end
        self._kind = match.lastgroup or "end"
        self.token = match[self._kind] if match.lastgroup else ""
        self._end = match.end()
        self._offset = self._end - len(self.token)

    def _advance(self) -> str:
        token = self.token
        self._scan()
        return token

    def _accept(self, *symbols: str) -> bool:
        if self.token in symbols and self._kind in ("symbol", "word"):
            self._scan()
            return True
        return False

    def _expect(self, symbol: str) -> None:
        if not self._accept(symbol):
            message = f"expected {symbol!r}, found {self.token[:40]!r}"
            self.fail(message if self.token else f"{symbol!r} is missing")

    def _segment(self) -> ast.Segment:
        descends = self.token == ".."
        if self.token != "[":
            self._scan()
            if self._kind == "word":
                return ast.Segment((self._name_or_length(),), descends)
            if self._accept("*"):
                return ast.Segment((ast.Every(),), descends)
            if not descends or self.token != "[":
                self.fail("expected a name or *")
        self._scan()
        selectors = [self._selector()]
        while self._accept(","):
            selectors.append(self._selector())
        self._expect("]")
        return ast.Segment(tuple(selectors), descends)

    def _name_or_length(self) -> ast.Selector:
        name = self._advance()
        if name != "length" or not self._accept("("):
            return name
        self._expect(")")
        return ast.Length()

    def _selector(self) -> ast.Selector:
        if self._kind == "string":
            return self._string()
        if self._accept("*"):
            return ast.Every()
        if self._accept("?"):
            return ast.Filter(self._test())
        start = self._integer()
        if self.token != ":":
            if start is None:
                self.fail('expected a number, a slice, "text", * or ?(...)')
            return start
        self._scan()
        stop = self._integer()
        offset, step = (self._offset, self._integer()) if self._accept(":") else (0, None)
        if step is not None and step < 1:
            self.fail("the step of a slice is at least 1", offset)
        return slice(start, stop, step)

    def _integer(self) -> int | None:
        if self._kind != "number":
            return None
        if not _INTEGER.fullmatch(self.token):
            self.fail("expected a whole number of at most 18 digits")
        return int(self._advance())

    def _test(self) -> ast.Test:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self.fail(f"more than {MAX_DEPTH} levels of parentheses and filters")
        offset, or_lengths = self._offset, []

        def or_test() -> ast.Test:
            tests = self._list(self._negatable, "or", "||")
            or_lengths.append(len(tests))
            return _join(False, tests)

        tests = self._list(or_test, "and", "&&")
        if len(tests) > 1 and max(or_lengths) > 1:
            self.mixed_offsets.append(offset)
        self._depth -= 1
        return _join(True, tests)

    def _list(self, part: Callable[[], ast.Test], *words: str) -> list[ast.Test]:
        tests = [part()]
        while self._accept(*words):
            tests.append(part())
        return tests

    def _negatable(self) -> ast.Test:
        is_negated = False
        while self._accept("not", "!"):
            is_negated = not is_negated
        if self._accept("("):
            test = self._test()
            self._expect(")")
        else:
            test = self._comparison()
        return ast.Not(test) if is_negated else test

    def _comparison(self) -> ast.Test:
        first = self._value()
        operator = _OPERATORS.get(self.token)
        if operator is None:
            return first
        self._scan()
        return ast.Compare(operator, first, self._value())

    def _value(self) -> ast.Value:
        if self.token in ("$", "@"):
            return self.path()
        if self._kind == "string":
            return ast.Constant(self._string())
        if self._kind == "number":
            return ast.Constant(self._number())
        if self.token in _CONSTANTS:
            return ast.Constant(_CONSTANTS[self._advance()])
        if self.token in ("'", '"'):
            self.fail("this text is not closed")
        self.fail('expected a path ($... or @...), a number, "text", true, false or null')

    def _number(self) -> int | float:
        offset, text = self._offset, self._advance()
        try:
            number: int | float = json.loads(text)
        except ValueError:
            self.fail(f"{text[:20]} is not a number", offset)
        if not math.isfinite(number):
            self.fail(f"{text[:20]} is too big a number", offset)
        return number

    def _string(self) -> str:
        offset, quoted = self._offset, self._advance()
        if quoted[0] == "'":
            inside = quoted[1:-1].replace("\\'", "'")
            quoted = '"' + re.sub(r'\\.|"', lambda part: part[0].replace('"', r"\""), inside) + '"'
        try:
            string: str = json.loads(quoted, strict=False)
        except ValueError:
            escapes = 'one of " \\ / b f n r t, or by u and four digits'
            self.fail(f"a backslash in text is followed by {escapes}", offset)
        return string


def _join(needs_all: bool, tests: list[ast.Test]) -> ast.Test:
    return tests[0] if len(tests) == 1 else ast.Join(needs_all, tuple(tests))
