"""Prints the concrete syntax tree of a flow text in its canonical layout.

A statement is printed on one line if it fits. If only subflows or literals of several lines are in the
way, it continues after them: `A -> {`, the subflow, `} -> B`. Otherwise each segment has a line of its
own, indented, and begins with the arrow. A short subflow is printed on one line with its statement.

The content of a literal of several lines is not changed, because margins matter in YAML.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise, zip_longest
from typing import Final, NamedTuple

from lfr.flow import gc_paused
from lfr.language.ast import walk_all_scopes
from lfr.language.compile import compile_flow, compile_source
from lfr.language.diagnostics import SourceText
from lfr.language.formatter.cst import BLANK, Block, Clause, Piece, Segment, parse_clauses
from lfr.language.lexer import CLOSING_OF, TokenKind
from lfr.language.parse import BEGINS_STEP

WIDTH: Final = 100
"""The maximum number of columns of a line that can be broken, without the comment after it."""

_WIDEST_BLOCK: Final = 60
"""The maximum number of columns of a subflow on one line, if it has several statements and arrows."""

_INDENT: Final = "  "
_CLOSING: Final = tuple(CLOSING_OF.values())


class _Line(NamedTuple):
    """A line and the comment after it. A literal in it may have several lines."""

    text: str
    comment: str = ""


def format_flow(text: str, *, source: str = "FLOW") -> str:
    """Return the flow text in its canonical layout; formatting the result again changes nothing.

    Comments are kept, in their order. Raises FlowError if the text does not compile.
    """
    source_text = SourceText.of(text, source)
    with gc_paused():
        compiled = compile_source(source_text)
    scopes = walk_all_scopes(compiled.tree)
    starts = frozenset(statement.offset for scope in scopes for statement in scope.statements)
    lines = list(_block_lines(parse_clauses(source_text.text, starts), ""))
    formatted = "\n".join(_aligned(lines)) + "\n"
    assert compile_flow(formatted, source=source) == compiled.flow, "the layout has changed the flow"
    return formatted


def _block_lines(block: Block, indent: str) -> Iterator[_Line]:
    """Yield the lines of all clauses, with at most one blank line between them."""
    for clause, following in zip_longest(block.clauses, block.clauses[1:]):
        end = ";" if following is not None and _needs_end(clause, following) else ""
        yield from _comment_lines(clause.segments[0].leading, indent)
        yield from _clause_lines(clause, indent, end)
    yield from _comment_lines(block.closing, indent)


def _comment_lines(comments: Sequence[str], indent: str) -> Iterator[_Line]:
    was_blank = False
    for comment in comments:
        if comment != BLANK or not was_blank:
            yield _Line("", "") if comment == BLANK else _Line(f"{indent}{comment}")
        was_blank = comment == BLANK


def _needs_end(clause: Clause, following: Clause) -> bool:
    """Return whether the following clause would, without a `;`, be a part of this one."""
    last, first = clause.last.kind, following.first.kind
    if clause.is_declaration:
        return first in CLOSING_OF and last not in _CLOSING
    if following.is_declaration:
        return False
    if last is TokenKind.LABEL and len(clause.segments) > 1 and _is_target(clause):
        return first in BEGINS_STEP
    return first is TokenKind.LABEL and last in (TokenKind.NAME, TokenKind.PARAMETERS, *_CLOSING)


def _is_target(clause: Clause) -> bool:
    pieces = clause.segments[-1].pieces
    return len(pieces) == 1 or (pieces[0] == ">" and len(pieces) == 2)


def _clause_lines(clause: Clause, indent: str, end: str) -> Iterator[_Line]:
    flat = _flat_clause(clause)
    if flat is not None and len(indent) + len(flat) + len(end) <= WIDTH:
        yield _Line(f"{indent}{flat}{end}", "".join(clause.segments[-1].trailing))
        return
    joined = None if _has_inner_comments(clause) else list(_joined_lines(clause, indent, end))
    if joined is not None and all(_width(line) <= WIDTH for line in joined):
        yield from joined
    else:
        yield from _broken_lines(clause, indent, end)


def _flat_clause(clause: Clause) -> str | None:
    """Return a clause on one line, or None if comments or literals prevent that."""
    if _has_inner_comments(clause):
        return None
    flat = [_flat_segment(segment) for segment in clause.segments]
    return None if None in flat else " -> ".join(text for text in flat if text is not None)


def _has_inner_comments(clause: Clause) -> bool:
    return any(one.trailing or following.leading for one, following in pairwise(clause.segments))


def _flat_segment(segment: Segment) -> str | None:
    words: list[str] = []
    for piece in segment.pieces:
        word = _flat_block(piece) if isinstance(piece, Block) else None if "\n" in piece else _one_line(piece)
        if word is None:
            return None
        words.append(word)
    return _joined(words)


def _flat_block(block: Block) -> str | None:
    clauses = block.clauses
    if block.closing or any(clause.segments[-1].trailing or clause.segments[0].leading for clause in clauses):
        return None
    words: list[str] = []
    for clause, following in zip_longest(clauses, clauses[1:]):
        flat = _flat_clause(clause)
        if flat is None:
            return None
        words.append(flat + ("" if following is None else _between(clause, following)))
    text = f"{{ {''.join(words)} }}"
    is_plain = len(clauses) == 1 or all(len(clause.segments) == 1 for clause in clauses)
    return text if is_plain or len(text) <= _WIDEST_BLOCK else None


def _between(clause: Clause, following: Clause) -> str:
    """Return the separator of statements on a line: blanks between single steps, else `;`."""
    is_plain = len(clause.segments) == len(following.segments) == 1
    return "  " if is_plain and not _needs_end(clause, following) else "; "


def _joined_lines(clause: Clause, indent: str, end: str) -> Iterator[_Line]:
    """Yield the statement with line breaks only inside its subflows and literals."""
    pieces: list[Piece] = []
    for number, segment in enumerate(clause.segments):
        pieces += ["->"] * (number > 0) + segment.pieces
    yield from _piece_lines(pieces, indent, end, clause.segments[-1].trailing)


def _broken_lines(clause: Clause, indent: str, end: str) -> Iterator[_Line]:
    deeper = indent + _INDENT
    for number, segment in enumerate(clause.segments):
        margin = deeper if number else indent
        if number:
            yield from _comment_lines(segment.leading, margin)
        pieces: list[Piece] = [*(["->"] * (number > 0)), *segment.pieces]
        is_last = number == len(clause.segments) - 1
        yield from _piece_lines(pieces, margin, end if is_last else "", segment.trailing)


def _piece_lines(pieces: Iterable[Piece], indent: str, end: str, comments: Sequence[str]) -> Iterator[_Line]:
    """Yield the pieces on one line, except the clauses of a block that does not fit: these have lines of
    their own, and the next piece follows the closing bracket."""
    words: list[str] = []
    for piece in pieces:
        if isinstance(piece, str):
            word = piece if "\n" in piece else _one_line(piece)
            if _is_doc(word) and len(indent) + len(_joined([*words, word])) > WIDTH:
                yield _Line(indent + _joined(words))
                words = []
            words.append(word)
            continue
        flat = _flat_block(piece)
        if flat is not None and len(indent) + len(_joined([*words, flat])) <= WIDTH:
            words.append(flat)
            continue
        yield _Line(indent + _joined([*words, "{"]))
        yield from _block_lines(piece, indent + _INDENT)
        words = ["}"]
    yield _Line(indent + _joined(words) + end, "".join(comments))


def _is_doc(word: str) -> bool:
    return word.startswith(("'''", '"""')) and "\n" not in word


def _joined(words: Sequence[str]) -> str:
    """Join words with blanks, except `()`, which follows its task directly."""
    text = ""
    for word in words:
        text += word if not text or word == "()" else f" {word}"
    return text


def _one_line(word: str) -> str:
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
    """Yield the lines; comments on adjacent lines begin in the same column."""
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
