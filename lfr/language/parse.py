"""Flow text -> tree. Recursive, one level for each bracket, and therefore with a limit to brackets.

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

A label after a step belongs to that step. A label after an arrow belongs to the step that follows, if
what follows can begin one; else it is the target, and so it always is behind `>`. `;` ends a statement.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NoReturn

from lfr.guard import GuardError, parse_guard
from lfr.language.ast import (
    Declaration,
    FlowText,
    Label,
    Literal,
    Resource,
    Scope,
    Statement,
    Step,
    Target,
    Task,
)
from lfr.language.diagnostics import MAX_SHOWN, BadSyntax, Problem
from lfr.language.lexer import Lexer, Token, TokenKind, begins_line, shown

MAX_DEPTH: Final = 100
"""How many subflows may stand inside each other."""

_SUBFLOW: Final = {
    TokenKind.OPEN_BRACE: TokenKind.CLOSE_BRACE,
    TokenKind.OPEN_BRACKET: TokenKind.CLOSE_BRACKET,
}
_STEP: Final = frozenset({TokenKind.NAME, TokenKind.ITERATE, TokenKind.MERGE, TokenKind.ASK, *_SUBFLOW})
_STATEMENT: Final = _STEP | {TokenKind.LABEL, TokenKind.LITERAL, TokenKind.RESOURCE}
_AFTER_STATEMENT: Final = _STATEMENT | {TokenKind.DECLARATION, TokenKind.END, *_SUBFLOW.values()}


MAX_SKIPPED_TOKENS: Final = 100_000
"""How many tokens behind an error are looked at for the beginning of a statement."""

_CONTINUES: Final = frozenset(
    {
        TokenKind.ARROW,
        TokenKind.BAR,
        TokenKind.MERGE,
        TokenKind.ITERATE,
        TokenKind.ASK,
        TokenKind.GUARD,
        TokenKind.EQUALS,
    }
)
"""Behind these, a statement goes on in the next line."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """The tree of a text, and what is wrong with it.

    is_whole  whether the tree holds all of the text: what cannot be read is left out of it
    is_sure   whether it holds all that it was read from: the end of a broken literal can only be guessed
    """

    tree: FlowText
    problems: list[Problem]
    is_whole: bool
    is_sure: bool


def parse(text: str) -> Parsed:
    """Read a text as far as it can be read; behind a statement that cannot be read, it goes on."""
    return _Parser(text).read()


class _Parser:
    """Where the reading stands: the token at hand, and the subflows that are open."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._scanner = Lexer(text)
        self._token = Token(TokenKind.END, "", 0, 0)
        self._open: list[Token] = []
        self._declarations: list[Declaration] = []
        self._statements: list[Statement] = []

    @property
    def problems(self) -> list[Problem]:
        return self._scanner.problems

    def read(self) -> Parsed:
        is_whole, go_on = True, True
        resume: Callable[[], object] = self._take
        while go_on:
            try:
                resume()
                self._read_on()
                go_on = False
            except BadSyntax as error:
                is_whole, go_on = False, self._tell(error.problem)
                resume = self._skip_statement
        scope = Scope(tuple(self._statements), 0, is_subflow=False)
        tree = FlowText(tuple(self._declarations), scope)
        return Parsed(tree, self.problems, is_whole, is_sure=not self._scanner.may_have_skipped)

    def _read_on(self) -> None:
        while self._token.kind is not TokenKind.END:
            if self._token.kind is TokenKind.DECLARATION:
                self._declarations.append(self._declaration())
            else:
                self._statements.append(self._statement())
        if not self._statements and not self.problems:
            self._fail("a flow needs at least one statement, such as a task's name")

    def _tell(self, problem: Problem) -> bool:
        """Note what is wrong; say whether what follows can still be understood."""
        if self._scanner.is_guessing or problem in self.problems:  # again: the scanner cannot get past it
            return False
        self.problems.append(problem)
        return len(self.problems) < MAX_SHOWN

    def _skip_statement(self) -> None:
        """Go to where the next statement begins: outside of brackets, behind a `;`, or at the beginning of
        a line. A beginning that is none would bring errors that are none, so when in doubt it goes on.
        If none is found, nothing more is read."""
        depth = len(self._open)
        self._open.clear()
        before: Token | None = None
        for _ in range(MAX_SKIPPED_TOKENS):
            if self._token.kind is TokenKind.END or (depth == 0 and self._begins_statement(before)):
                return
            before = self._take()
            if before.kind is TokenKind.SEMICOLON and depth == 0:
                return
            depth += (before.kind in _SUBFLOW) - (before.kind in _SUBFLOW.values() and depth > 0)
        self._token = Token(TokenKind.END, "", self._token.at, self._token.at)

    def _begins_statement(self, before: Token | None) -> bool:
        kind, at = self._token.kind, self._token.at
        if kind is TokenKind.MERGE or kind not in _STATEMENT | {TokenKind.DECLARATION}:
            return False
        if before is not None and before.kind in _CONTINUES:
            return False
        return begins_line(self._text, at)

    def _take(self) -> Token:
        token, self._token = self._token, self._scanner.next()
        return token

    def _take_if(self, kind: TokenKind) -> Token | None:
        return self._take() if self._token.kind is kind else None

    def _expect(self, kind: TokenKind) -> Token:
        if self._token.kind is not kind:
            self._fail_expecting(kind.value)
        return self._take()

    def _fail(self, message: str, hint: str = "") -> NoReturn:
        raise BadSyntax(self._token.at, message, hint)

    def _fail_expecting(self, expected: str, hint: str = "") -> NoReturn:
        token = self._token
        opening = self._open[-1] if self._open else None
        if opening and token.kind is TokenKind.END:
            message, closing = f"the text ends, but a {opening.text} is not closed", _SUBFLOW[opening.kind]
            raise BadSyntax(token.at, message, f"{closing.value} closes it", opening.at)
        if opening and token.kind in _SUBFLOW.values() and token.kind is not _SUBFLOW[opening.kind]:
            raise BadSyntax(token.at, f"{token.text} cannot close {opening.text}", cause=opening.at)
        self._fail(f"expected {expected}, found {_described(token)}", hint or _advice(token))

    def _declaration(self) -> Declaration:
        keyword = self._take()
        if keyword.text not in ("flow", "task"):
            raise BadSyntax(
                keyword.at, f"there is no declaration @{keyword.text}", "there are @flow and @task"
            )
        name = self._expect(TokenKind.NAME).text
        alias = self._expect(TokenKind.NAME).text if self._take_if(TokenKind.EQUALS) else ""
        parameters = self._parameters()
        doc = self._take_if(TokenKind.DOC)
        subflow = self._subflow() if self._token.kind in _SUBFLOW else None
        if (
            not self._take_if(TokenKind.SEMICOLON)
            and subflow is not None
            and self._token.kind is TokenKind.ARROW
        ):
            self._fail_expecting("a statement", AFTER_DECLARATION)
        text = doc.text.strip() if doc else ""
        return Declaration(keyword.text, name, alias, parameters, text, subflow, keyword.at)

    def _statement(self) -> Statement:
        at = self._token.at
        source, before = self._source()
        steps = [self._step(before)]
        target = None
        while target is None and self._take_if(TokenKind.ARROW):
            following = self._step_or_target()
            if isinstance(following, Target):
                target = following
            else:
                steps.append(following)
        if target is not None and self._token.kind is TokenKind.ARROW:
            self._fail("nothing can follow the target of a statement", _AFTER_TARGET)
        if not self._take_if(TokenKind.SEMICOLON) and self._token.kind not in _AFTER_STATEMENT:
            self._fail_expecting("an arrow or a new statement")
        return Statement(source, tuple(steps), target, at)

    def _source(self) -> tuple[Label | Literal | Resource | None, Label | None]:
        """What stands before the first arrow, if it is no step; and the label of the first step, if that
        has been read while looking for the arrow."""
        if self._token.kind not in _STATEMENT:
            self._fail_expecting("a statement")
        source: Label | Literal | Resource | None = None
        if self._token.kind is TokenKind.LABEL:
            label = self._label()
            if self._token.kind in _STEP:
                return None, label
            source = label
        elif self._token.kind is TokenKind.LITERAL:
            source = self._literal()
        elif self._token.kind is TokenKind.RESOURCE:
            source = self._resource()
        if source is not None:
            self._expect(TokenKind.ARROW)
        return source, None

    def _step_or_target(self) -> Step | Target:
        """What follows an arrow."""
        merge = self._take_if(TokenKind.MERGE)
        merges_at = merge.at if merge else None
        if self._token.kind is TokenKind.RESOURCE:
            return Target(self._resource(), merges_at)
        if self._token.kind is TokenKind.LABEL:
            label = self._label()
            if merge or self._token.kind not in _STEP:
                return Target(label, merges_at)
            return self._step(label)
        return self._step(None, merge)

    def _step(self, before: Label | None, merge: Token | None = None) -> Step:
        """A step. Its label and its `>` may have been read already."""
        if before is None and merge is None and self._token.kind is TokenKind.LABEL:
            before = self._label()
        iterate = None if merge else self._take_if(TokenKind.ITERATE)
        merge = merge or (None if iterate else self._take_if(TokenKind.MERGE))
        if self._token.kind in (TokenKind.ITERATE, TokenKind.MERGE):
            self._fail(
                "* and > exclude each other, and stand once", "let a step of its own before this one merge"
            )
        asks = self._take_if(TokenKind.ASK)
        guard_at = self._token.at if asks else None
        guard = self._guard() if asks else None
        if guard is not None and self._token.kind in (TokenKind.ITERATE, TokenKind.MERGE):
            self._fail(f"{self._token.text} stands before the ? of a guard", "such as * ? `$.a` task")
        if self._token.kind not in (TokenKind.NAME, *_SUBFLOW):
            self._fail_expecting("a task or a subflow")
        content = self._tasks() if self._token.kind is TokenKind.NAME else self._subflow()
        after = self._label() if self._token.kind is TokenKind.LABEL else None
        iterates_at = iterate.at if iterate else None
        return Step(content, before, after, iterates_at, merge is not None, guard, guard_at)

    def _guard(self) -> str:
        token = self._expect(TokenKind.GUARD)
        try:
            parse_guard(token.text)
        except GuardError as error:
            cause = token.at + 1 + error.offset
            self.problems.append(Problem(token.at, f"guard: {error.message}", cause=cause))
        return token.text

    def _tasks(self) -> tuple[Task, ...]:
        tasks = [self._task()]
        while self._take_if(TokenKind.BAR):
            tasks.append(self._task())
        return tuple(tasks)

    def _task(self) -> Task:
        name = self._expect(TokenKind.NAME)
        return Task(name.text, self._parameters(), name.at)

    def _subflow(self) -> Scope:
        opening = self._take()
        self._open.append(opening)
        if len(self._open) > MAX_DEPTH:
            raise BadSyntax(opening.at, f"more than {MAX_DEPTH} subflows inside each other")
        statements = [self._statement()]
        while self._token.kind is not _SUBFLOW[opening.kind]:
            statements.append(self._statement())
        self._open.pop()
        self._take()
        return Scope(tuple(statements), opening.at, is_subflow=True)

    def _label(self) -> Label:
        token = self._take()
        return Label(token.text, token.at)

    def _literal(self) -> Literal:
        token = self._take()
        if not isinstance(token.value, dict | list | None):
            self.problems.append(
                Problem(token.at, "a literal must be an object or a list", "put [ ] around it")
            )
        return Literal({} if token.value is None else token.value, token.at)

    def _resource(self) -> Resource:
        token = self._take()
        return Resource(token.text, self._parameters(), token.at)

    def _parameters(self) -> Literal | None:
        token = self._take_if(TokenKind.PARAMETERS)
        return Literal(token.value, token.at) if token else None


AFTER_DECLARATION: Final = (
    "write ; behind the declaration if a statement is to begin with the bracket after it"
)

_AFTER_TARGET: Final = "write ; and go on with a new statement, such as :label -> task"

_ADVICE: Final = {
    **dict.fromkeys("-=–—⇒➔➜⟶", "an arrow is written -> or →"),
    **dict.fromkeys("0123456789", "a name begins with a letter or _"),
    ";": "it ends a statement, and there is none here",
    ",": "statements need nothing between them, or ;",
    ":": "a label is written :name, with no blank between",
    "$": "a guard stands in back quotes, after ?",
}

_ADVICE_FOR_KIND: Final = {
    TokenKind.ARROW: "something is missing before it",
    TokenKind.LITERAL: "a literal can only begin a statement",
    TokenKind.RESOURCE: "a resource is the first thing in a statement, or the last",
    TokenKind.DECLARATION: "declarations stand outside of subflows",
    TokenKind.DOC: "documentation belongs to a declaration, behind its parameters",
    TokenKind.GUARD: "a guard comes after ?",
    TokenKind.CLOSE_BRACE: "it closes nothing, or nothing is in it",
    TokenKind.CLOSE_BRACKET: "it closes nothing, or nothing is in it",
}


def _described(token: Token) -> str:
    match token.kind:
        case TokenKind.NAME | TokenKind.GUARD:
            return f"{token.kind.value}, {token.text[:40]}"
        case TokenKind.LABEL | TokenKind.DECLARATION:
            return f"{token.kind.value}, {':' if token.kind is TokenKind.LABEL else '@'}{token.text[:40]}"
        case TokenKind.UNKNOWN:
            return shown(token.text)
    return token.kind.value


def _advice(token: Token) -> str:
    return _ADVICE_FOR_KIND.get(token.kind) or _ADVICE.get(token.text, "")
