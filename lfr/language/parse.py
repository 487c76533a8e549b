"""Parses a flow text into its syntax tree, by recursive descent with a limit on nested brackets.

    flow        = { declaration | statement }
    declaration = ("@flow" | "@task") NAME [ "=" NAME ] [ params ] [ doc ] [ subflow ] [ ";" ]
    statement   = [ source ARROW ] step { ARROW step } [ ARROW target ] [ ";" ]
    source      = LABEL | resource | literal
    target      = [ ">" ] ( LABEL | resource )
    step        = [ LABEL ] [ "*" | ">" ] [ "?" GUARD ] ( task { "|" task } | subflow ) [ LABEL ]
    task        = NAME [ params ]
    subflow     = "{" statement { statement } "}" | "[" statement { statement } "]"
    params      = "(" ")" | "({" JSON "})" | "([" JSON "])" | "(-" YAML "-)"
    literal     = "<" ">" | "<{" JSON "}>" | "<[" JSON "]>" | "<-" YAML "->"
    resource    = "<" URI ">" [ params ]

A label after a step belongs to that step. A label after an arrow belongs to the following step if the
next token can begin a step; otherwise, and always after `>`, it is the target. `;` ends a statement.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, NoReturn

from lfr.guard import GuardError, parse_guard
from lfr.language import ast
from lfr.language.diagnostics import MAX_SHOWN, FatalProblem, Problem
from lfr.language.lexer import CLOSING_OF, Lexer, Token, TokenKind, begins_line, describe_char

MAX_DEPTH: Final = 100
"""How many subflows may be nested."""

MAX_SKIPPED_TOKENS: Final = 100_000
"""How many tokens after an error are searched for the beginning of a statement."""

_MODIFIERS: Final = (TokenKind.ITERATE, TokenKind.MERGE, TokenKind.QUESTION)
BEGINS_STEP: Final = frozenset({TokenKind.NAME, *_MODIFIERS, *CLOSING_OF})
_BEGINS_STATEMENT: Final = BEGINS_STEP | {TokenKind.LABEL, TokenKind.LITERAL, TokenKind.RESOURCE}
_FOLLOWS_STATEMENT: Final = _BEGINS_STATEMENT | {TokenKind.DECLARATION, TokenKind.END, *CLOSING_OF.values()}
_CONTINUES: Final = (TokenKind.ARROW, TokenKind.BAR, TokenKind.GUARD, TokenKind.EQUALS, *_MODIFIERS)
"""After one of these, a statement continues on the next line."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """The syntax tree of a text, and the problems in the text.

    is_complete  no statement is missing from the tree because of a syntax error
    is_certain   no statement may have been skipped because the end of an invalid literal was guessed
    """

    tree: ast.FlowText
    problems: list[Problem]
    is_complete: bool
    is_certain: bool


def parse(text: str) -> Parsed:
    """Parse a text, continuing after each statement that has a syntax error; such errors are not raised."""
    return _Parser(text).parse()


def parse_first_declarations(text: str) -> list[ast.Declaration]:
    """Parse the declarations before the first statement, up to the first error, and nothing behind them."""
    return _Parser(text).parse_first_declarations()


class _Parser:
    """A parser with one token of lookahead, and a stack of the brackets that are open."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lexer = Lexer(text)
        self._token = Token(TokenKind.END, "", 0, 0)
        self._problems = self._lexer.problems
        self._open: list[Token] = []
        self._declarations: list[ast.Declaration] = []
        self._statements: list[ast.Statement] = []

    def parse(self) -> Parsed:
        is_complete, is_running = True, True
        resume: Callable[[], object] = self._advance
        while is_running:
            try:
                resume()
                self._parse_rest()
                is_running = False
            except FatalProblem as error:
                is_complete, is_running = False, self._record(error.problem)
                resume = self._skip_statement
        scope = ast.Scope(tuple(self._statements), 0, is_subflow=False)
        tree = ast.FlowText(tuple(self._declarations), scope)
        return Parsed(tree, self._problems, is_complete, is_certain=not self._lexer.may_have_skipped)

    def parse_first_declarations(self) -> list[ast.Declaration]:
        with suppress(FatalProblem):
            self._advance()
            while self._token.kind is TokenKind.DECLARATION:
                self._declarations.append(self._declaration())
        return self._declarations

    def _parse_rest(self) -> None:
        while self._token.kind is not TokenKind.END:
            if self._token.kind is TokenKind.DECLARATION:
                self._declarations.append(self._declaration())
            else:
                self._statements.append(self._statement())
        if not self._statements and not self._problems:
            self._fail("a flow needs at least one statement, such as a task's name")

    def _record(self, problem: Problem) -> bool:
        """Record a problem; return whether parsing can continue after it."""
        if self._lexer.is_guessing or problem in self._problems:  # again: the lexer cannot get past it
            return False
        self._problems.append(problem)
        return len(self._problems) < MAX_SHOWN

    def _skip_statement(self) -> None:
        """Skip to the next statement: outside of brackets, after a `;` or at the beginning of a line.

        A wrong guess would report errors where there are none, so an uncertain beginning is skipped. If no
        statement follows, skip to the end of the text.
        """
        depth = len(self._open)
        self._open.clear()
        before: Token | None = None
        for _ in range(MAX_SKIPPED_TOKENS):
            if self._token.kind is TokenKind.END or (depth == 0 and self._begins_statement(before)):
                return
            before = self._advance()
            if before.kind is TokenKind.SEMICOLON and depth == 0:
                return
            depth += (before.kind in CLOSING_OF) - (before.kind in CLOSING_OF.values() and depth > 0)
        self._token = Token(TokenKind.END, "", self._token.offset, self._token.offset)

    def _begins_statement(self, before: Token | None) -> bool:
        kind, offset = self._token.kind, self._token.offset
        if kind is TokenKind.MERGE or kind not in _BEGINS_STATEMENT | {TokenKind.DECLARATION}:
            return False
        if before is not None and before.kind in _CONTINUES:
            return False
        return begins_line(self._text, offset)

    def _advance(self) -> Token:
        token, self._token = self._token, self._lexer.next()
        return token

    def _accept(self, kind: TokenKind) -> Token | None:
        return self._advance() if self._token.kind is kind else None

    def _expect(self, kind: TokenKind) -> Token:
        if self._token.kind is not kind:
            self._fail_expecting(kind.value)
        return self._advance()

    def _fail(self, message: str, hint: str = "") -> NoReturn:
        raise FatalProblem(self._token.offset, message, hint)

    def _fail_expecting(self, expected: str, hint: str = "") -> NoReturn:
        token = self._token
        opening = self._open[-1] if self._open else None
        if opening and token.kind is TokenKind.END:
            message, closing = f"the text ends, but a {opening.text} is not closed", CLOSING_OF[opening.kind]
            raise FatalProblem(token.offset, message, f"{closing.value} closes it", opening.offset)
        if opening and token.kind in CLOSING_OF.values() and token.kind is not CLOSING_OF[opening.kind]:
            message = f"{token.text} cannot close {opening.text}"
            raise FatalProblem(token.offset, message, cause=opening.offset)
        hint = hint or _HINTS.get(token.kind) or _HINTS.get(token.text, "")
        self._fail(f"expected {expected}, found {_describe(token)}", hint)

    def _declaration(self) -> ast.Declaration:
        keyword = self._advance()
        if keyword.text not in ("flow", "task"):
            message = f"there is no declaration @{keyword.text}"
            raise FatalProblem(keyword.offset, message, "write @flow or @task")
        name = self._expect(TokenKind.NAME).text
        alias = self._expect(TokenKind.NAME).text if self._accept(TokenKind.EQUALS) else ""
        parameters = self._parameters()
        doc = self._accept(TokenKind.DOC)
        subflow = self._subflow() if self._token.kind in CLOSING_OF else None
        is_ended = self._accept(TokenKind.SEMICOLON) is not None
        if not is_ended and subflow is not None and self._token.kind is TokenKind.ARROW:
            self._fail_expecting("a statement", AFTER_DECLARATION)
        text = doc.text.strip() if doc else ""
        return ast.Declaration(keyword.text, name, alias, parameters, text, subflow, keyword.offset)

    def _statement(self) -> ast.Statement:
        offset = self._token.offset
        source, before = self._source()
        steps = [self._step(before)]
        target = None
        while target is None and self._accept(TokenKind.ARROW):
            following = self._step_or_target()
            if isinstance(following, ast.Target):
                target = following
            else:
                steps.append(following)
        if target is not None and self._token.kind is TokenKind.ARROW:
            hint = "write ; and begin a new statement, such as :label -> task"
            self._fail("nothing can follow the target of a statement", hint)
        if not self._accept(TokenKind.SEMICOLON) and self._token.kind not in _FOLLOWS_STATEMENT:
            self._fail_expecting("an arrow or a new statement")
        return ast.Statement(source, tuple(steps), target, offset)

    def _source(self) -> tuple[ast.Label | ast.Literal | ast.Resource | None, ast.Label | None]:
        """Return the source, or None and, if it is there, the label before the first step."""
        if self._token.kind not in _BEGINS_STATEMENT:
            self._fail_expecting("a statement")
        source: ast.Label | ast.Literal | ast.Resource | None = None
        if self._token.kind is TokenKind.LABEL:
            label = self._label()
            if self._token.kind in BEGINS_STEP:
                return None, label
            source = label
        elif self._token.kind is TokenKind.LITERAL:
            source = self._literal()
        elif self._token.kind is TokenKind.RESOURCE:
            source = self._resource()
        if source is not None:
            self._expect(TokenKind.ARROW)
        return source, None

    def _step_or_target(self) -> ast.Step | ast.Target:
        merge = self._accept(TokenKind.MERGE)
        merge_offset = merge.offset if merge else None
        if self._token.kind is TokenKind.RESOURCE:
            return ast.Target(self._resource(), merge_offset)
        if self._token.kind is TokenKind.LABEL:
            label = self._label()
            if merge or self._token.kind not in BEGINS_STEP:
                return ast.Target(label, merge_offset)
            return self._step(label)
        return self._step(None, merge)

    def _step(self, before: ast.Label | None, merge: Token | None = None) -> ast.Step:
        """Parse a step whose label or `>` may have been consumed already."""
        if before is None and merge is None and self._token.kind is TokenKind.LABEL:
            before = self._label()
        iterate = None if merge else self._accept(TokenKind.ITERATE)
        merge = merge or (None if iterate else self._accept(TokenKind.MERGE))
        if self._token.kind in (TokenKind.ITERATE, TokenKind.MERGE):
            message = "* and > exclude each other, and neither is repeated"
            self._fail(message, "merge in a step before this one")
        question = self._accept(TokenKind.QUESTION)
        guard_offset = self._token.offset if question else None
        guard = self._guard() if question else None
        if guard is not None and self._token.kind in (TokenKind.ITERATE, TokenKind.MERGE):
            self._fail(f"{self._token.text} stands before the ? of a guard", "such as * ? `$.a` task")
        if self._token.kind not in (TokenKind.NAME, *CLOSING_OF):
            self._fail_expecting("a task or a subflow")
        content = self._tasks() if self._token.kind is TokenKind.NAME else self._subflow()
        after = self._label() if self._token.kind is TokenKind.LABEL else None
        iterate_offset = iterate.offset if iterate else None
        return ast.Step(content, before, after, iterate_offset, merge is not None, guard, guard_offset)

    def _guard(self) -> str:
        token = self._expect(TokenKind.GUARD)
        try:
            parse_guard(token.text)
        except GuardError as error:
            cause = token.offset + 1 + error.offset
            self._problems.append(Problem(token.offset, f"guard: {error.message}", cause=cause))
        return token.text

    def _tasks(self) -> tuple[ast.Task, ...]:
        tasks = [self._task()]
        while self._accept(TokenKind.BAR):
            tasks.append(self._task())
        return tuple(tasks)

    def _task(self) -> ast.Task:
        name = self._expect(TokenKind.NAME)
        return ast.Task(name.text, self._parameters(), name.offset)

    def _subflow(self) -> ast.Scope:
        opening = self._advance()
        self._open.append(opening)
        if len(self._open) > MAX_DEPTH:
            raise FatalProblem(opening.offset, f"more than {MAX_DEPTH} subflows inside each other")
        statements = [self._statement()]
        while self._token.kind is not CLOSING_OF[opening.kind]:
            statements.append(self._statement())
        self._open.pop()
        self._advance()
        return ast.Scope(tuple(statements), opening.offset, is_subflow=True)

    def _label(self) -> ast.Label:
        token = self._advance()
        return ast.Label(token.text, token.offset)

    def _literal(self) -> ast.Literal:
        token = self._advance()
        if not isinstance(token.value, dict | list | None):
            message = "a literal must be an object or a list"
            self._problems.append(Problem(token.offset, message, "put [ ] around it"))
        return ast.Literal({} if token.value is None else token.value, token.offset)

    def _resource(self) -> ast.Resource:
        token = self._advance()
        return ast.Resource(token.text, self._parameters(), token.offset)

    def _parameters(self) -> ast.Literal | None:
        token = self._accept(TokenKind.PARAMETERS)
        return ast.Literal(token.value, token.offset) if token else None


AFTER_DECLARATION: Final = "write ; after the declaration if the bracket after it begins a statement"

_HINTS: Final[dict[str, str]] = {
    **dict.fromkeys("-=–—⇒➔➜⟶", "an arrow is written -> or →"),
    **dict.fromkeys("0123456789", "a name begins with a letter or _"),
    ";": "it ends a statement, but no statement precedes it",
    ",": "between statements there is nothing, or a ;",
    ":": "a label is written :name, with no blank between",
    "$": "a guard stands in back quotes, after ?",
    TokenKind.ARROW: "something is missing before it",
    TokenKind.LITERAL: "a literal can only begin a statement",
    TokenKind.RESOURCE: "a resource can only begin or end a statement",
    TokenKind.DECLARATION: "declarations stand outside of subflows",
    TokenKind.DOC: "documentation belongs to a declaration, after its parameters",
    TokenKind.GUARD: "a guard comes after ?",
    **dict.fromkeys(CLOSING_OF.values(), "no bracket is open, or the brackets are empty"),
}
"""Hints by a token's kind or, if there is none for that, by its text."""

_MARKS: Final = {TokenKind.NAME: "", TokenKind.GUARD: "", TokenKind.LABEL: ":", TokenKind.DECLARATION: "@"}


def _describe(token: Token) -> str:
    if token.kind in _MARKS:
        return f"{token.kind.value}, {_MARKS[token.kind]}{token.text[:40]}"
    return describe_char(token.text) if token.kind is TokenKind.UNKNOWN else token.kind.value
