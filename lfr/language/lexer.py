"""Turns a flow text into tokens, one at a time, when the parser asks for the next.

It is written by hand, without a parser generator: the content of a literal decides where the literal
ends (the JSON value itself, or the first closing sign of YAML), every error has an exact location, the
depth of nesting is bounded, and no grammar has to be built at start-up.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final, NamedTuple

from lfr.language.diagnostics import MAX_SHOWN, FatalProblem, Problem
from lfr.values.json import Json
from lfr.values.literals import BadLiteral, parse_json, parse_yaml


class TokenKind(StrEnum):
    """The kinds of tokens; the value is the kind's name in error messages."""

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
    QUESTION = "?"
    BAR = "|"
    SEMICOLON = ";"
    EQUALS = "="
    OPEN_BRACE = "{"
    CLOSE_BRACE = "}"
    OPEN_BRACKET = "["
    CLOSE_BRACKET = "]"
    UNKNOWN = "an unknown character"
    END = "the end of the text"


CLOSING_OF: Final = {
    TokenKind.OPEN_BRACE: TokenKind.CLOSE_BRACE,
    TokenKind.OPEN_BRACKET: TokenKind.CLOSE_BRACKET,
}
"""The closing bracket of a subflow, by its opening bracket."""


class Token(NamedTuple):
    """A token: its text without marks such as `:`, `@` and quotes, its offset, and the offset after it.

    `value` is the value of a literal or of parameters; None for other tokens, and if the value is invalid.
    """

    kind: TokenKind
    text: str
    offset: int
    end: int
    value: Json = None


MAX_NAME: Final = 1000
"""How many characters a name may have: names stand in keys, events and lists."""

_PUNCTUATION: Final = {kind.value: kind for kind in TokenKind if len(kind.value) == 1}
_BLANK = re.compile(r"[ \t\r\n\f\v]*+")
_LINE_REST = re.compile(r"[^\r\n]*+")
_NAME = re.compile(r"[A-Za-z_](?:[\w:]++|-(?!>))*+")
_URI = re.compile(r"[^\s>\x00-\x1f\x7f]++")

_LIKE_PARAMETERS = re.compile(r"""\((?:[^()\r\n"'`#]|"(?:[^"\\\r\n]|\\.)*+"|'[^'\r\n]*+')*+\)""")
_LIKE_RESOURCE = re.compile(r"""<[^<>\r\n"'`({\[]*+(?<!-)>""")
"""What a misspelt token may look like: brackets on one line with no signs of other tokens in them."""


class Lexer:
    """The tokens of a text, and the position of the next one.

    problems          invalid literals; the lexer continues after them
    is_guessing       it had to guess where an invalid literal ends, so later errors may be wrong
    may_have_skipped  by that guess it may have taken statements for the literal's content
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._end = 0
        self.problems: list[Problem] = []
        self.is_guessing = False
        self.may_have_skipped = False

    def next(self) -> Token:
        """Return the next token; after the last one, a token END at the end of that. Raises FatalProblem."""
        end, start = self._end, self._skip_blanks(self._end)
        token = self._token(start) if start < len(self._text) else Token(TokenKind.END, "", end, end)
        self._end = token.end
        return token

    def _skip_blanks(self, start: int) -> int:
        start = _match_end(_BLANK, self._text, start)
        while self._text.startswith("#", start):
            start = _match_end(_BLANK, self._text, _match_end(_LINE_REST, self._text, start))
        return start

    def _token(self, start: int) -> Token:
        text = self._text
        if name := _NAME.match(text, start):
            return self._name(TokenKind.NAME, start, name)
        first = text[start]
        if first == "→" or text.startswith("->", start):
            return Token(TokenKind.ARROW, first, start, start + (1 if first == "→" else 2))
        if first in ":@" and (name := _NAME.match(text, start + 1)):
            kind = TokenKind.LABEL if first == ":" else TokenKind.DECLARATION
            return self._name(kind, start, name)
        if first in _PUNCTUATION:
            return Token(_PUNCTUATION[first], first, start, start + 1)
        if first == "(":
            return self._parameters(start)
        if first == "<":
            return self._literal_or_resource(start)
        if first == "`":
            return self._quoted(TokenKind.GUARD, start, "`", "guard")
        if text.startswith(("'''", '"""'), start):
            return self._quoted(TokenKind.DOC, start, text[start : start + 3], "documentation")
        return Token(TokenKind.UNKNOWN, first, start, start + 1)

    def _name(self, kind: TokenKind, start: int, name: re.Match[str]) -> Token:
        if len(name[0]) > MAX_NAME:
            message = f"this name has {len(name[0]):,} characters, more than {MAX_NAME:,}"
            self._add(Problem(start, message, "give it a shorter one"))
        return Token(kind, name[0], start, name.end())

    def _quoted(self, kind: TokenKind, start: int, quote: str, noun: str) -> Token:
        content = start + len(quote)
        end = self._text.find(quote, content)
        if end < 0:
            raise FatalProblem(start, f"this {noun} is not closed", f"it ends with {quote}")
        return Token(kind, self._text[content:end], start, end + len(quote))

    def _parameters(self, start: int) -> Token:
        if self._text.startswith(("{", "["), start + 1):
            return self._json(TokenKind.PARAMETERS, start, ")")
        if self._text.startswith("-", start + 1):
            return self._yaml(TokenKind.PARAMETERS, start, "-)")
        closing = self._skip_blanks(start + 1)
        if self._text.startswith(")", closing):
            return Token(TokenKind.PARAMETERS, "", start, closing + 1, {})
        if closing == len(self._text):
            raise FatalProblem(start, "these parameters are not closed", "they end with )")
        message = f"parameters cannot begin with {describe_char(self._text[closing])}"
        hint = "they are written (- YAML -), ({JSON}), ([JSON]) or (), without blanks between the two signs"
        error = FatalProblem(closing, message, hint)
        return self._misspelt(TokenKind.PARAMETERS, start, _LIKE_PARAMETERS, error)

    def _literal_or_resource(self, start: int) -> Token:
        if self._text.startswith(("{", "["), start + 1):
            return self._json(TokenKind.LITERAL, start, ">")
        if self._text.startswith("-", start + 1):
            return self._yaml(TokenKind.LITERAL, start, "->")
        closing = _match_end(_BLANK, self._text, start + 1)
        if self._text.startswith(">", closing):
            return Token(TokenKind.LITERAL, "", start, closing + 1, {})
        uri = _URI.match(self._text, start + 1)
        if uri is not None and self._text.startswith(">", uri.end()):
            return Token(TokenKind.RESOURCE, uri[0], start, uri.end() + 1)
        hint = "write a literal as <- YAML ->, <{JSON}>, <[JSON]> or <>, a resource as <URI>, a blank as %20"
        error = FatalProblem(start, "this is neither a literal nor a resource", hint)
        return self._misspelt(TokenKind.RESOURCE, start, _LIKE_RESOURCE, error)

    def _misspelt(self, kind: TokenKind, start: int, form: re.Pattern[str], error: FatalProblem) -> Token:
        """Record the error and go on after the token if the text has this form; else raise it."""
        match = form.match(self._text, start)
        if match is None:
            raise error
        self._add(error.problem)
        return Token(kind, "", start, match.end())

    def _yaml(self, kind: TokenKind, start: int, closing: str) -> Token:
        content = start + 2
        end = self._text.find(closing, content)
        if end < 0:
            raise FatalProblem(start, f"{_subject(kind)} not closed", f"YAML ends with {closing}")
        token = Token(kind, "", start, end + 2)
        try:
            return token._replace(value=parse_yaml(self._text, content, end))
        except BadLiteral as error:
            content_end = len(self._text[content:end].rstrip()) + content
            is_cut_off = error.offset is not None and error.offset >= content_end
            hint = f"the first {closing} ends it; write text with {closing} in it as JSON"
            self._add(Problem(start, error.message, hint if is_cut_off else "", error.offset))
            self.is_guessing |= is_cut_off
            return token

    def _json(self, kind: TokenKind, start: int, closing: str) -> Token:
        try:
            value, end = parse_json(self._text, start + 1)
            if self._text.startswith(closing, end):
                return Token(kind, "", start, end + 1, value)
            problem = Problem(start, f"JSON: expected {closing} right after the value", cause=end)
        except BadLiteral as error:
            problem = Problem(start, error.message, cause=error.offset)
        self._add(problem)
        self.is_guessing = self.may_have_skipped = True
        bracket = "}" if self._text[start + 1] == "{" else "]"
        end = self._text.find(bracket + closing, start)
        if end < 0:
            raise FatalProblem(start, f"{_subject(kind)} not closed", f"JSON ends with {bracket}{closing}")
        return Token(kind, "", start, end + 2)

    def _add(self, problem: Problem) -> None:
        self.problems.append(problem)
        if len(self.problems) >= MAX_SHOWN:
            self.is_guessing = True
            raise FatalProblem(problem.offset, "too many errors")


def describe_char(char: str) -> str:
    """Return a character in quotes for a message, or its code point if it is not visible."""
    quote = "'" if char == '"' else '"'
    is_visible = char.isprintable() and not char.isspace()
    return f"{quote}{char}{quote}" if is_visible else f"the character U+{ord(char):04X}"


def begins_line(text: str, offset: int) -> bool:
    """Return whether only blanks precede the offset on its line."""
    while offset > 0 and text[offset - 1] in " \t\f\v":
        offset -= 1
    return offset == 0 or text[offset - 1] in "\r\n"


def _subject(kind: TokenKind) -> str:
    return "these parameters are" if kind is TokenKind.PARAMETERS else "this literal is"


def _match_end(pattern: re.Pattern[str], text: str, start: int) -> int:
    match = pattern.match(text, start)
    return match.end() if match else start
