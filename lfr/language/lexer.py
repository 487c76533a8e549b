"""Flow text -> tokens, one at a time, as the parser asks for them.

A scanner of our own and no parser generator: where a literal ends depends on what is in it (the JSON
value itself, the first closing sign of YAML), each error has an exact place, the depth is bounded,
and nothing has to be built at start-up.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final, NamedTuple

from lfr.language.diagnostics import MAX_SHOWN, BadSyntax, Problem
from lfr.values.json import Json
from lfr.values.literals import BadLiteral, parse_json, parse_yaml


class TokenKind(StrEnum):
    """What a token is; the value is what errors call it, or the sign itself."""

    NAME = "a name"
    LABEL = "a label"
    ARROW = "an arrow"
    GUARD = "a guard in back quotes"
    LITERAL = "a literal"
    RESOURCE = "a resource"
    PARAMETERS = "parameters"
    DECLARATION = "a declaration"
    DOC = "documentation"
    ITERATE = "*"
    MERGE = ">"
    ASK = "?"
    BAR = "|"
    SEMICOLON = ";"
    EQUALS = "="
    OPEN_BRACE = "{"
    CLOSE_BRACE = "}"
    OPEN_BRACKET = "["
    CLOSE_BRACKET = "]"
    UNKNOWN = "what no token begins with"
    END = "the end of the text"


class Token(NamedTuple):
    """A token: its text without what only marks it (`:`, `@`, quotes), its place, the index behind it.

    `value` is that of a literal or of parameters.
    """

    kind: TokenKind
    text: str
    at: int
    end: int
    value: Json = None


_SIGNS: Final = {kind.value: kind for kind in TokenKind if len(kind.value) == 1}
_BLANK = re.compile(r"[ \t\r\n\f\v]*+")
_LINE_REST = re.compile(r"[^\r\n]*+")
_NAME = re.compile(r"[A-Za-z_](?:[\w:]++|-(?!>))*+")
_URI = re.compile(r"[^\s>\x00-\x1f\x7f]++")

_LIKE_PARAMETERS = re.compile(r"""\((?:[^()\r\n"'`#]|"(?:[^"\\\r\n]|\\.)*+"|'[^'\r\n]*+')*+\)""")
_LIKE_RESOURCE = re.compile(r"""<[^<>\r\n"'`({\[]*+(?<!-)>""")
"""What is in brackets in one line, with nothing in it that could be a token of another kind."""


class Lexer:
    """Where the reading of a text stands.

    `problems` are literals whose content is wrong; the scanner goes on behind them. If it could only
    guess where one of them ends, `is_guessing` is set: what seems to be wrong after it may be right.
    If statements may have been taken for content by that, `may_have_skipped` is set, too.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._end = 0
        self.problems: list[Problem] = []
        self.is_guessing = False
        self.may_have_skipped = False

    def next(self) -> Token:
        """The next token; at the end, END, which is placed behind the last one. Raises BadSyntax."""
        behind, at = self._end, self._skip_blanks(self._end)
        token = self._token(at) if at < len(self._text) else Token(TokenKind.END, "", behind, behind)
        self._end = token.end
        return token

    def _skip_blanks(self, at: int) -> int:
        at = _match_end(_BLANK, self._text, at)
        while self._text.startswith("#", at):
            at = _match_end(_BLANK, self._text, _match_end(_LINE_REST, self._text, at))
        return at

    def _token(self, at: int) -> Token:
        text = self._text
        if name := _NAME.match(text, at):
            return Token(TokenKind.NAME, name[0], at, name.end())
        first = text[at]
        if first == "→" or text.startswith("->", at):
            return Token(TokenKind.ARROW, first, at, at + (1 if first == "→" else 2))
        if first in ":@" and (name := _NAME.match(text, at + 1)):
            return Token(TokenKind.LABEL if first == ":" else TokenKind.DECLARATION, name[0], at, name.end())
        if first in _SIGNS:
            return Token(_SIGNS[first], first, at, at + 1)
        if first == "(":
            return self._parameters(at)
        if first == "<":
            return self._literal_or_resource(at)
        if first == "`":
            return self._quoted(TokenKind.GUARD, at, "`", "guard")
        if text.startswith(("'''", '"""'), at):
            return self._quoted(TokenKind.DOC, at, text[at : at + 3], "documentation")
        return Token(TokenKind.UNKNOWN, first, at, at + 1)

    def _quoted(self, kind: TokenKind, at: int, quote: str, what: str) -> Token:
        start = at + len(quote)
        end = self._text.find(quote, start)
        if end < 0:
            raise BadSyntax(at, f"this {what} is not closed", f"it ends with {quote}")
        return Token(kind, self._text[start:end], at, end + len(quote))

    def _parameters(self, at: int) -> Token:
        if self._text.startswith(("{", "["), at + 1):
            return self._json(TokenKind.PARAMETERS, at, ")")
        if self._text.startswith("-", at + 1):
            return self._yaml(TokenKind.PARAMETERS, at, "-)")
        closing = self._skip_blanks(at + 1)
        if self._text.startswith(")", closing):
            return Token(TokenKind.PARAMETERS, "", at, closing + 1, {})
        if closing == len(self._text):
            raise BadSyntax(at, "these parameters are not closed", "they end with )")
        bad = BadSyntax(
            closing,
            f"parameters cannot begin with {shown(self._text[closing])}",
            "they are written (- YAML -), ({JSON}), ([JSON]) or (), without blanks between the two signs",
        )
        return self._misspelt(TokenKind.PARAMETERS, at, _LIKE_PARAMETERS, bad)

    def _literal_or_resource(self, at: int) -> Token:
        if self._text.startswith(("{", "["), at + 1):
            return self._json(TokenKind.LITERAL, at, ">")
        if self._text.startswith("-", at + 1):
            return self._yaml(TokenKind.LITERAL, at, "->")
        closing = _match_end(_BLANK, self._text, at + 1)
        if self._text.startswith(">", closing):
            return Token(TokenKind.LITERAL, "", at, closing + 1, {})
        uri = _URI.match(self._text, at + 1)
        if uri is not None and self._text.startswith(">", uri.end()):
            return Token(TokenKind.RESOURCE, uri[0], at, uri.end() + 1)
        bad = BadSyntax(
            at,
            "neither a literal nor a resource",
            "literals are written <- YAML ->, <{JSON}>, <[JSON]> or <>; resources <URI>, a blank as %20",
        )
        return self._misspelt(TokenKind.RESOURCE, at, _LIKE_RESOURCE, bad)

    def _misspelt(self, kind: TokenKind, at: int, like: re.Pattern[str], bad: BadSyntax) -> Token:
        """What is wrong, but so plainly meant to be one token that reading goes on behind it; else `bad`
        is raised."""
        meant = like.match(self._text, at)
        if meant is None:
            raise bad
        self._add(bad.problem)
        return Token(kind, "", at, meant.end())

    def _yaml(self, kind: TokenKind, at: int, closing: str) -> Token:
        start = at + 2
        end = self._text.find(closing, start)
        if end < 0:
            raise BadSyntax(at, f"{_of(kind)} not closed", f"YAML here ends with {closing}")
        token = Token(kind, "", at, end + 2)
        try:
            return token._replace(value=parse_yaml(self._text, start, end))
        except BadLiteral as bad:
            is_at_end = bad.at is not None and bad.at >= len(self._text[start:end].rstrip()) + start
            hint = f"the first {closing} ends it; text with {closing} in it is written as JSON"
            self._note(at, bad, hint if is_at_end else "")
            self.is_guessing |= is_at_end
            return token

    def _json(self, kind: TokenKind, at: int, closing: str) -> Token:
        try:
            value, end = parse_json(self._text, at + 1)
            if self._text.startswith(closing, end):
                return Token(kind, "", at, end + 1, value)
            bad = BadLiteral(f"JSON: after the value comes {closing}, without blanks", end)
        except BadLiteral as error:
            bad = error
        self._note(at, bad)
        self.is_guessing = self.may_have_skipped = True
        bracket = "}" if self._text[at + 1] == "{" else "]"
        end = self._text.find(bracket + closing, at)
        if end < 0:
            raise BadSyntax(at, f"{_of(kind)} not closed", f"JSON here ends with {bracket}{closing}")
        return Token(kind, "", at, end + 2)

    def _note(self, at: int, bad: BadLiteral, hint: str = "") -> None:
        self._add(Problem(at, bad.message, hint, bad.at))

    def _add(self, problem: Problem) -> None:
        self.problems.append(problem)
        if len(self.problems) >= MAX_SHOWN:
            self.is_guessing = True
            raise BadSyntax(problem.at, "too many errors")


def shown(char: str) -> str:
    """A character as messages show it: itself if that can be seen, else its number."""
    quote = "'" if char == '"' else '"'
    return (
        f"{quote}{char}{quote}"
        if char.isprintable() and not char.isspace()
        else f"the character U+{ord(char):04X}"
    )


def begins_line(text: str, at: int) -> bool:
    """Whether nothing but blanks stands before this index in its line."""
    while at > 0 and text[at - 1] in " \t\f\v":
        at -= 1
    return at == 0 or text[at - 1] in "\r\n"


def _of(kind: TokenKind) -> str:
    return "these parameters are" if kind is TokenKind.PARAMETERS else "this literal is"


def _match_end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at
