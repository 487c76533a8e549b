"""What a text consists of, as its layout sees it: statements, their segments, comments between them.

A statement is cut into segments at its arrows. Everything else stays together as pieces of text, in the
order of the tokens; a subflow is a block of entries among them. Comments belong to what they stand behind,
if that is in their line, else to what follows them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, TypeAlias

from lfr.language.lexer import Lexer, Token, TokenKind

BLANK: Final = ""
"""Among comments: a blank line."""


@dataclass(slots=True)
class Block:
    """A subflow: its entries, and the comments before its closing bracket."""

    entries: list[Entry] = field(default_factory=list)
    closing: list[str] = field(default_factory=list)


Piece: TypeAlias = "str | Block"
"""A word as it is written, perhaps of several lines, or a subflow."""


@dataclass(slots=True)
class Segment:
    """What stands between two arrows: comments on lines before it, its pieces, comments behind it."""

    before: list[str] = field(default_factory=list)
    pieces: list[Piece] = field(default_factory=list)
    behind: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Entry:
    """A statement or a declaration.

    first, last  the tokens that it begins and ends with: whether a `;` is needed depends on them
    """

    segments: list[Segment]
    first: Token
    last: Token
    is_declaration: bool


@dataclass(frozen=True, slots=True)
class _Spaced:
    """A token, its text, and the comments between it and the token before: those that end the line of that
    one, and those on lines of their own."""

    token: Token
    text: str
    behind_last: list[str]
    before: list[str]


def read_entries(text: str, starts: frozenset[int]) -> Block:
    """All of a text that compiles. `starts` are the places at which its statements begin."""
    reader = _Reader(list(_spaced(text)), starts)
    return reader.block(TokenKind.END)


class _Reader:
    """Where the reading stands."""

    def __init__(self, tokens: list[_Spaced], starts: frozenset[int]) -> None:
        self._tokens = tokens
        self._starts = starts
        self._next = 0

    def block(self, closing: TokenKind) -> Block:
        """The entries up to this bracket, which is taken, too."""
        block = Block()
        while self._peek().token.kind is not closing:
            block.entries.append(self._entry(block))
        found = self._take()
        self._hang(block, found)
        block.closing += found.before
        _settle(block)
        return block

    def _hang(self, block: Block, behind: _Spaced) -> None:
        """Comments that end the line of what came before."""
        if block.entries:
            block.entries[-1].segments[-1].behind += behind.behind_last
        else:
            block.closing += behind.behind_last

    def _entry(self, block: Block) -> Entry:
        first = self._peek()
        self._hang(block, first)
        segment = Segment(before=[*block.closing, *first.before])
        block.closing.clear()
        segments = [segment]
        is_declaration = first.token.kind is TokenKind.DECLARATION
        last = first.token
        while not self._ends(first):
            spaced = self._take()
            if spaced is not first:
                segment.behind += spaced.behind_last
            if spaced.token.kind is TokenKind.SEMICOLON:
                segment.behind += _words(spaced.before)
                break
            if spaced.token.kind is TokenKind.ARROW:
                segment = Segment(before=_words(spaced.before))
                segments.append(segment)
                continue
            if spaced is not first:
                _place(segment, segments, spaced)
            last = spaced.token
            if spaced.token.kind in _BRACKETS:
                block_inside = self.block(_BRACKETS[spaced.token.kind])
                block_inside.entries[0].segments[0].before[:0] = segment.behind
                segment.behind = []
                segment.pieces.append(block_inside)
                last = self._tokens[self._next - 1].token
            else:
                segment.pieces.append(spaced.text)
        return Entry(segments, first.token, last, is_declaration)

    def _ends(self, first: _Spaced) -> bool:
        following = self._peek()
        if following is first:
            return False
        kind = following.token.kind
        return kind in _CLOSING or kind is TokenKind.DECLARATION or following.token.at in self._starts

    def _peek(self) -> _Spaced:
        return self._tokens[self._next]

    def _take(self) -> _Spaced:
        self._next += 1
        return self._tokens[self._next - 1]


def _place(segment: Segment, segments: list[Segment], spaced: _Spaced) -> None:
    """Comments before a token in the middle of a segment: behind what there is of it already, or, directly
    behind an arrow, with what stands before that."""
    if segment.pieces:
        segment.behind += _words(spaced.before)
    if not segment.pieces and segment.behind:
        earlier = segment.before if segment.before else segments[-2].behind
        earlier += segment.behind
        segment.behind = []
    if not segment.pieces:
        segment.before += _words(spaced.before)


def _settle(block: Block) -> None:
    """One comment can stand behind a segment: more of them stand before what follows. And no blank lines
    stand at the edges of a block."""
    segments = [segment for entry in block.entries for segment in entry.segments]
    for one, following in pairwise(segments):
        one.behind, following.before = one.behind[:1], one.behind[1:] + following.before
    if segments:
        last = segments[-1]
        last.behind, block.closing = last.behind[:1], last.behind[1:] + block.closing
        segments[0].before = _trimmed(segments[0].before)
    block.closing = _trimmed(block.closing[::-1])[::-1]


def _trimmed(comments: list[str]) -> list[str]:
    """The comments without blank lines before the first."""
    first = next((number for number, comment in enumerate(comments) if comment != BLANK), len(comments))
    return comments[first:]


def _words(comments: list[str]) -> list[str]:
    """The comments, without blank lines: these have a meaning between entries only."""
    return [comment for comment in comments if comment != BLANK]


_BRACKETS: Final = {
    TokenKind.OPEN_BRACE: TokenKind.CLOSE_BRACE,
    TokenKind.OPEN_BRACKET: TokenKind.CLOSE_BRACKET,
}
_CLOSING: Final = frozenset({*_BRACKETS.values(), TokenKind.END})


def _spaced(text: str) -> Iterator[_Spaced]:
    scanner = Lexer(text)
    end = 0
    while True:
        token = scanner.next()
        at = len(text) if token.kind is TokenKind.END else token.at
        behind, before = _comments(text[end:at], is_first=end == 0)
        yield _Spaced(token, text[token.at : token.end], behind, before)
        if token.kind is TokenKind.END:
            return
        end = token.end


def _comments(gap: str, *, is_first: bool) -> tuple[list[str], list[str]]:
    """The comments between two tokens: those in the line of the first, and those in lines of their own, with
    BLANK for blank lines."""
    lines = [line.strip() for line in gap.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    if len(lines) == 1 and not is_first:
        return [line for line in lines if line], []
    behind = [] if is_first else [line for line in lines[:1] if line]
    own = lines[:-1] if is_first else lines[1:-1]
    tail = [lines[-1]] if lines[-1] else []  # a comment that ends the text
    return behind, [line or BLANK for line in own] + tail
