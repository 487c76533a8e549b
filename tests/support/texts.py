"""Makes texts that may be flows, and checks what holds for any text: a sound flow, or sound errors."""

from __future__ import annotations

import json
import re

from lfr.drawing.mermaid import to_mermaid
from lfr.engine.local import LocalFailure, run_flow
from lfr.flow import Flow, StepKind
from lfr.guard import parse_guard
from lfr.language import Diagnostic, Severity, check_flow, compile_flow
from lfr.language.formatter import format_flow
from lfr.language.lexer import Lexer, TokenKind
from lfr.language.reachability import completable_steps
from lfr.values.json import Json
from tests.conformance.cases import CASES

FLOWS: list[str] = [case["flow"] for case in CASES]

_CHARACTERS = [
    *"→;|*>?{}[]()=`#\\\0\r\t1é",
    "->",
    "-)",
    "})",
    "])",
    "}>",
    "]>",
    "({",
    "([",
    "(-",
    "<{",
    "<[",
    "<-",
    "# c\n",
]
_WORDS = ["a", "b-c", ":x", ":start", ":end", "k:", "[v]", "!!x", "&y", "*y", "<<", "@task", "@flow", "@x"]
_WHOLE = ["()", '({"k":1})', "([1])", "(- k: v -)", "<>", "<{}>", "<[]>", "<u>", "'''d'''", '"""', "'''"]
_GUARDS = ["`$.a`", "`a`", "`$[?(@.a and @.b or @.c)]`", "? `$.a`", "* a", "→ :start", "{ a b }"]
TOKENS = _CHARACTERS + _WORDS + _WHOLE + _GUARDS

MOST_TASKS = 30
"""Number of tasks of a flow that are run: some flows never end."""

_LINE_END = re.compile(r"\r\n|\n|\r")


def check_text(text: str) -> None:
    """Compile and lint a text. If it is a flow, draw, format, write, read and run it."""
    result = check_flow(text)
    for diagnostic in result.diagnostics:
        assert_diagnostic_is_sound(diagnostic, text)
    severities = {diagnostic.severity for diagnostic in result.diagnostics}
    assert result.has_errors == (Severity.ERROR in severities)
    if result.flow is None:
        assert severities == {Severity.ERROR}
    else:
        assert_flow_is_sound(result.flow)
        assert_layout_is_sound(text)
        run_some_tasks(result.flow)


def assert_diagnostic_is_sound(diagnostic: Diagnostic, text: str) -> None:
    lines = _LINE_END.split(text.removeprefix("\ufeff"))
    assert 1 <= diagnostic.line <= len(lines)
    assert 1 <= diagnostic.column <= len(lines[diagnostic.line - 1]) + 2
    assert diagnostic.end_column is None or diagnostic.column < diagnostic.end_column
    assert diagnostic.source_line == lines[diagnostic.line - 1]
    assert diagnostic.message and diagnostic.message.isprintable()
    assert str(diagnostic).count("\n") == 2


def assert_layout_is_sound(text: str) -> None:
    """Check that the canonical layout is the same flow, is its own layout, and has the same comments."""
    formatted = format_flow(text)
    assert format_flow(formatted) == formatted
    assert compile_flow(formatted) == compile_flow(text)
    assert comments(formatted) == comments(text)


def comments(text: str) -> list[str]:
    """Return the comments of a flow text, in order."""
    lines: list[str] = []
    scanner, end = Lexer(text.removeprefix("\ufeff")), 0
    token = None
    while token is None or token.kind is not TokenKind.END:
        token = scanner.next()
        gap = text.removeprefix("\ufeff")[end : None if token.kind is TokenKind.END else token.offset]
        lines += [line.strip() for line in _LINE_END.split(gap) if line.strip()]
        end = token.end
    return lines


def assert_flow_is_sound(flow: Flow) -> None:
    assert [step.index for step in flow.steps] == list(range(len(flow.steps)))
    assert (flow.steps[0].kind, flow.steps[-1].kind) == (StepKind.START, StepKind.END)
    assert list(flow.edges) == sorted(set(flow.edges))
    assert all(0 <= source <= flow.last and 0 <= target <= flow.last for source, target in flow.edges)
    for step in flow.steps:
        if step.kind is StepKind.SUBFLOW:
            assert flow.steps[step.end].kind is StepKind.SUBFLOW_END
        if step.guard is not None:
            parse_guard(step.guard)
    assert Flow.from_dict(json.loads(flow.canonical_json)) == flow
    to_mermaid(flow)


def run_some_tasks(flow: Flow) -> None:
    """Run a flow whose tasks echo: it ends, fails or is found endless; without guards, loops and items all
    start that can start, and nothing else does."""
    started: set[int] = set()
    try:
        run_flow(flow, _echo, {"a": 1}, lambda index, *_: started.add(index), limit=MOST_TASKS)
    except LocalFailure:
        return
    can_end = completable_steps(flow, lambda _: True)
    can_start = {step.index for step in flow.steps if step.kind is StepKind.TASK and step.index in can_end}
    if not any(step.guard is not None or step.iterate for step in flow.steps):
        assert {index for index in started if flow.steps[index].kind is StepKind.TASK} == can_start


def _echo(name: str, base: str, index: int, input: Json, parameters: Json) -> Json:
    return input
