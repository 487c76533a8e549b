"""Entries -> text, in the one canonical layout.

A statement stands in one line if it fits. If only subflows or literals of several lines are in the way, it
goes on behind them: `A -> {`, the subflow, `} -> B`. Else each of its segments has a line, indented, with
the arrow first. A subflow stands in one line if it is short, and the statement with it.

What stands in a literal of several lines is left as it is: in YAML, its margins count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from lfr.language.ast import all_scopes
from lfr.language.compile import compile_flow
from lfr.language.formatter.entries import BLANK, Block, Entry, Piece, Segment, read_entries
from lfr.language.lexer import TokenKind
from lfr.language.parse import parse

WIDTH: Final = 100
"""Columns of a line, where it can be broken; a comment behind it does not count."""

_WIDEST_BLOCK: Final = 60
"""Columns of a subflow in one line, if there is more than one statement in it and arrows."""

_INDENT: Final = "  "


class _Line(NamedTuple):
    """A line, or several of a literal, with the comment behind it."""

    text: str
    comment: str = ""


def format_flow(text: str, *, source: str = "FLOW") -> str:
    """The same flow in its canonical layout; formatting that again changes nothing.

    Comments are kept, in their order. Raises FlowError if the text does not compile.
    """
    wanted = compile_flow(text, source=source)
    whole = text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")
    tree = parse(whole).tree
    starts = frozenset(statement.at for scope in all_scopes(tree) for statement in scope.statements)
    lines = list(_block_lines(read_entries(whole, starts), ""))
    formatted = "\n".join(_aligned(lines)) + "\n"
    assert compile_flow(formatted, source=source) == wanted, "the layout has changed the flow"
    return formatted


def _block_lines(block: Block, indent: str) -> Iterator[_Line]:
    """The lines of all entries, one blank line at most between them, and none at the edges."""
    for entry, following in pairwise([*block.entries, None]):
        assert entry is not None
        end = ";" if following is not None and _needs_end(entry, following) else ""
        yield from _comment_lines(entry.segments[0].before, indent)
        yield from _entry_lines(entry, indent, end)
    yield from _comment_lines(block.closing, indent)


def _comment_lines(comments: Sequence[str], indent: str) -> Iterator[_Line]:
    was_blank = False
    for comment in comments:
        if comment != BLANK or not was_blank:
            yield _Line("", "") if comment == BLANK else _Line(f"{indent}{comment}")
        was_blank = comment == BLANK


def _needs_end(entry: Entry, following: Entry) -> bool:
    """Whether without a `;` what follows would be read as a part of this entry."""
    last, first = entry.last.kind, following.first.kind
    if entry.is_declaration:
        return first in _BRACKETS and last not in _CLOSING
    if following.is_declaration:
        return False
    if last is TokenKind.LABEL and len(entry.segments) > 1 and _is_target(entry):
        return first in _STEP
    return first is TokenKind.LABEL and last in (TokenKind.NAME, TokenKind.PARAMETERS, *_CLOSING)


def _is_target(entry: Entry) -> bool:
    """Whether a statement ends with a label behind its last arrow."""
    pieces = entry.segments[-1].pieces
    return len(pieces) == 1 or (pieces[0] == ">" and len(pieces) == 2)


_BRACKETS: Final = (TokenKind.OPEN_BRACE, TokenKind.OPEN_BRACKET)
_CLOSING: Final = (TokenKind.CLOSE_BRACE, TokenKind.CLOSE_BRACKET)
_STEP: Final = (TokenKind.NAME, TokenKind.ITERATE, TokenKind.MERGE, TokenKind.ASK, *_BRACKETS)


def _entry_lines(entry: Entry, indent: str, end: str) -> Iterator[_Line]:
    flat = _flat_entry(entry)
    if flat is not None and len(indent) + len(flat) + len(end) <= WIDTH:
        yield _Line(f"{indent}{flat}{end}", "".join(entry.segments[-1].behind))
        return
    has_comments = any(segment.behind for segment in entry.segments[:-1])
    has_comments |= any(segment.before for segment in entry.segments[1:])
    hugged = None if has_comments else list(_hugged(entry, indent, end))
    if hugged is not None and all(_width(line) <= WIDTH for line in hugged):
        yield from hugged
    else:
        yield from _broken(entry, indent, end)


def _flat_entry(entry: Entry) -> str | None:
    """An entry in one line, or None if it cannot be."""
    segments = entry.segments
    if any(segment.behind for segment in segments[:-1]) or any(segment.before for segment in segments[1:]):
        return None
    flat = [_flat_segment(segment) for segment in segments]
    return None if None in flat else " -> ".join(text for text in flat if text is not None)


def _flat_segment(segment: Segment) -> str | None:
    words: list[str] = []
    for piece in segment.pieces:
        word = _flat_block(piece) if isinstance(piece, Block) else None if "\n" in piece else _one_line(piece)
        if word is None:
            return None
        words.append(word)
    return _joined(words)


def _flat_block(block: Block) -> str | None:
    entries = block.entries
    if block.closing or any(entry.segments[-1].behind or entry.segments[0].before for entry in entries):
        return None
    words: list[str] = []
    for entry, following in pairwise([*entries, None]):
        assert entry is not None
        flat = _flat_entry(entry)
        if flat is None:
            return None
        words.append(flat + ("" if following is None else _between(entry, following)))
    text = f"{{ {''.join(words)} }}"
    is_plain = len(entries) == 1 or all(len(entry.segments) == 1 for entry in entries)
    return text if is_plain or len(text) <= _WIDEST_BLOCK else None


def _between(entry: Entry, following: Entry) -> str:
    """What parts two statements in one line: blanks, if these are single steps."""
    is_plain = len(entry.segments) == len(following.segments) == 1
    return "  " if is_plain and not _needs_end(entry, following) else "; "


def _hugged(entry: Entry, indent: str, end: str) -> Iterator[_Line]:
    """The statement in one go, but for the lines of what has several."""
    pieces: list[Piece] = []
    for number, segment in enumerate(entry.segments):
        pieces += ["->"] * (number > 0) + segment.pieces
    yield from _flow_of(pieces, indent, indent, end, entry.segments[-1].behind)


def _broken(entry: Entry, indent: str, end: str) -> Iterator[_Line]:
    """A line for each segment."""
    deeper = indent + _INDENT
    for number, segment in enumerate(entry.segments):
        margin = deeper if number else indent
        if number:
            yield from _comment_lines(segment.before, margin)
        pieces: list[Piece] = [*(["->"] * (number > 0)), *segment.pieces]
        is_last = number == len(entry.segments) - 1
        yield from _flow_of(pieces, margin, margin, end if is_last else "", segment.behind)


def _flow_of(
    pieces: Iterable[Piece], indent: str, margin: str, end: str, comments: Sequence[str]
) -> Iterator[_Line]:
    """Pieces one behind the other. A block that does not fit into one line has its entries in lines of
    their own, and what follows goes on behind its closing bracket."""
    words: list[str] = []
    for piece in pieces:
        if isinstance(piece, str):
            word = piece if "\n" in piece else _one_line(piece)
            if _is_doc(word) and len(margin) + len(_joined([*words, word])) > WIDTH:
                yield _Line(margin + _joined(words))
                words = []
            words.append(word)
            continue
        flat = _flat_block(piece)
        if flat is not None and len(margin) + len(_joined([*words, flat])) <= WIDTH:
            words.append(flat)
            continue
        yield _Line(margin + _joined([*words, "{"]))
        yield from _block_lines(piece, indent + _INDENT)
        words, margin = ["}"], indent
    yield _Line(margin + _joined(words) + end, "".join(comments))


def _is_doc(word: str) -> bool:
    return word.startswith(("'''", '"""')) and "\n" not in word


def _joined(words: Sequence[str]) -> str:
    """Words with blanks between them, but for `()`, which stands at its task."""
    text = ""
    for word in words:
        text += word if not text or word == "()" else f" {word}"
    return text


def _one_line(word: str) -> str:
    """A word in its canonical form."""
    if word == "→":
        return "->"
    if word[:2] in ("(-", "<-") and len(word) > 3:
        inner = word[2:-2].strip()
        return f"{word[:2]} {inner} {word[-2:]}" if inner else f"{word[:2]} {word[-2:]}"
    if word[0] in "(<" and not word[1:-1].strip():
        return word[0] + word[-1]
    return word


def _width(line: _Line) -> int:
    return max(map(len, line.text.split("\n")))


def _aligned(lines: Sequence[_Line]) -> Iterator[str]:
    """The lines with their comments; those of neighbouring lines begin in the same column."""
    start = 0
    while start < len(lines):
        end = start
        while end < len(lines) and lines[end].comment:
            end += 1
        if end == start:
            yield lines[start].text.rstrip() if "\n" not in lines[start].text else lines[start].text
            start += 1
            continue
        group = lines[start:end]
        column = max(len(line.text.rpartition("\n")[2]) for line in group)
        for line in group:
            margin = column - len(line.text.rpartition("\n")[2])
            yield f"{line.text}{' ' * margin}  {line.comment}"
        start = end
