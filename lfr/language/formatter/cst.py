"""The concrete syntax tree of a flow text: every token as it is written, and all comments.

A statement is divided into segments at its arrows. A segment is a sequence of words in the order of the
tokens; a subflow in it is a block of clauses. A comment belongs to the segment before it if it is on the
same line, otherwise to the segment that follows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import dropwhile, pairwise
from typing import Final, TypeAlias

from lfr.language.lexer import CLOSING_OF, Lexer, Token, TokenKind

BLANK: Final = ""
"""A blank line in a list of comments."""

_CLOSING: Final = frozenset({*CLOSING_OF.values(), TokenKind.END})


@dataclass(slots=True)
class Block:
    """The clauses of a text or of a subflow, and the comments before its end."""

    clauses: list[Clause] = field(default_factory=list)
    closing: list[str] = field(default_factory=list)


Piece: TypeAlias = "str | Block"
"""A word as it is written, which may have several lines, or a subflow."""


@dataclass(slots=True)
class Segment:
    """The pieces between two arrows, with the comments on lines before them and on the last line's end."""

    leading: list[str] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)
    trailing: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Clause:
    """A statement or a declaration. Its first and last tokens decide whether it needs a `;`."""

    segments: list[Segment]
    first: Token
    last: Token
    is_declaration: bool


@dataclass(frozen=True, slots=True)
class _Lexeme:
    """A token as it is written, and the comments between it and the token before it.

    trailing  the comment on the line of the token before it
    leading   the comments on lines of their own
    """

    token: Token
    text: str
    trailing: list[str]
    leading: list[str]


def parse_clauses(text: str, starts: frozenset[int]) -> Block:
    """Parse a text that compiles. `starts` holds the offsets of its statements."""
    return _Parser(list(_lexemes(text)), starts).block(TokenKind.END)


class _Parser:
    def __init__(self, lexemes: list[_Lexeme], starts: frozenset[int]) -> None:
        self._lexemes = lexemes
        self._starts = starts
        self._next = 0

    def block(self, closing: TokenKind) -> Block:
        """Parse clauses up to a closing bracket, and consume the bracket."""
        block = Block()
        while self._peek().token.kind is not closing:
            block.clauses.append(self._clause(block))
        bracket = self._advance()
        self._attach_trailing(block, bracket)
        block.closing += bracket.leading
        _move_comments(block)
        return block

    def _attach_trailing(self, block: Block, following: _Lexeme) -> None:
        """Attach the comment on the line of the previous clause to that clause."""
        if block.clauses:
            block.clauses[-1].segments[-1].trailing += following.trailing
        else:
            block.closing += following.trailing

    def _clause(self, block: Block) -> Clause:
        first = self._peek()
        self._attach_trailing(block, first)
        segment = Segment(leading=[*block.closing, *first.leading])
        block.closing.clear()
        segments = [segment]
        is_declaration = first.token.kind is TokenKind.DECLARATION
        last = first.token
        while not self._ends_clause(first):
            lexeme = self._advance()
            if lexeme is not first:
                segment.trailing += lexeme.trailing
            if lexeme.token.kind is TokenKind.SEMICOLON:
                segment.trailing += _without_blanks(lexeme.leading)
                break
            if lexeme.token.kind is TokenKind.ARROW:
                segment = Segment(leading=_without_blanks(lexeme.leading))
                segments.append(segment)
                continue
            if lexeme is not first:
                _attach_inner(segment, segments, lexeme)
            last = lexeme.token
            if lexeme.token.kind in CLOSING_OF:
                inner = self.block(CLOSING_OF[lexeme.token.kind])
                inner.clauses[0].segments[0].leading[:0] = segment.trailing
                segment.trailing = []
                segment.pieces.append(inner)
                last = self._lexemes[self._next - 1].token
            else:
                segment.pieces.append(lexeme.text)
        return Clause(segments, first.token, last, is_declaration)

    def _ends_clause(self, first: _Lexeme) -> bool:
        following = self._peek()
        if following is first:
            return False
        kind = following.token.kind
        return kind in _CLOSING or kind is TokenKind.DECLARATION or following.token.offset in self._starts

    def _peek(self) -> _Lexeme:
        return self._lexemes[self._next]

    def _advance(self) -> _Lexeme:
        self._next += 1
        return self._lexemes[self._next - 1]


def _attach_inner(segment: Segment, segments: list[Segment], lexeme: _Lexeme) -> None:
    """Attach a comment to the segment or, right after an arrow, to the one before."""
    if segment.pieces:
        segment.trailing += _without_blanks(lexeme.leading)
    if not segment.pieces and segment.trailing:
        earlier = segment.leading if segment.leading else segments[-2].trailing
        earlier += segment.trailing
        segment.trailing = []
    if not segment.pieces:
        segment.leading += _without_blanks(lexeme.leading)


def _move_comments(block: Block) -> None:
    """Keep one comment after each segment, move others to the next, trim blank lines."""
    segments = [segment for clause in block.clauses for segment in clause.segments]
    for one, following in pairwise(segments):
        one.trailing, following.leading = one.trailing[:1], one.trailing[1:] + following.leading
    if segments:
        last = segments[-1]
        last.trailing, block.closing = last.trailing[:1], last.trailing[1:] + block.closing
        segments[0].leading = _trimmed(segments[0].leading)
    block.closing = _trimmed(block.closing[::-1])[::-1]


def _trimmed(comments: list[str]) -> list[str]:
    return list(dropwhile(lambda comment: comment == BLANK, comments))


def _without_blanks(comments: list[str]) -> list[str]:
    """Drop blank lines, which matter between clauses only."""
    return [comment for comment in comments if comment != BLANK]


def _lexemes(text: str) -> Iterator[_Lexeme]:
    lexer = Lexer(text)
    end = 0
    while True:
        token = lexer.next()
        offset = len(text) if token.kind is TokenKind.END else token.offset
        trailing, leading = _comments(text[end:offset], is_first=end == 0)
        yield _Lexeme(token, text[token.offset : token.end], trailing, leading)
        if token.kind is TokenKind.END:
            return
        end = token.end


def _comments(gap: str, *, is_first: bool) -> tuple[list[str], list[str]]:
    """Return the comments in the gap after a token: on the token's line, and on lines of their own.

    `is_first` is true for the gap before the first token. An empty line is BLANK.
    """
    lines = [line.strip() for line in gap.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    first, *own = ["", *lines] if is_first else lines
    if own and not own[-1]:  # the line of the next token: without it, a comment ends the text
        own.pop()
    return [first] if first else [], own
