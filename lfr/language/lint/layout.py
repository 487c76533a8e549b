"""Lines that read differently from how they look."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from lfr.language.ast import FlowText, Label, Resource, Scope, Statement, all_scopes
from lfr.language.diagnostics import Problem
from lfr.language.lexer import begins_line

_LINE_END = re.compile(r"[ \t\f\v]*(?:#|[\r\n])")


def doubtful_layout(tree: FlowText, text: str) -> Iterator[Problem]:
    """Statements that go on over the end of a line, and braces behind a resource."""
    for scope in all_scopes(tree):
        for statement in scope.statements:
            yield from _over_the_end_of_a_line(statement, text)
        for one, following in pairwise(scope.statements):
            yield from _braces_behind_resource(one, following, text)


def _over_the_end_of_a_line(statement: Statement, text: str) -> Iterator[Problem]:
    """`A -> :x` and `B` in two lines are `A -> :x B`; `A` and `:x -> B` in two lines are `A :x -> B`."""
    for number, step in enumerate(statement.steps):
        is_behind_arrow = number > 0 or statement.source is not None
        if is_behind_arrow and step.before is not None and _ends_line(step.before, text):
            message = f":{step.before.name} is the label of the step in the next line"
            yield Problem(step.before.at, message, "if it is to end the statement, write ; behind it")
        if step.after is not None and begins_line(text, step.after.at):
            message = f":{step.after.name} is the label of the step in the line before"
            yield Problem(step.after.at, message, "if it is to begin a statement, write ; before it")


def _ends_line(label: Label, text: str) -> bool:
    return _LINE_END.match(text, label.at + 1 + len(label.name)) is not None


def _braces_behind_resource(one: Statement, following: Statement, text: str) -> Iterator[Problem]:
    """`A -> <uri>{{method:PUT}}` is two statements, the second of them a subflow in a subflow."""
    target = one.target.to if one.target else None
    if not isinstance(target, Resource) or target.parameters is not None or following.source is not None:
        return
    content = following.steps[0].content
    behind = target.at + len(target.uri) + 2
    if isinstance(content, Scope) and content.at == behind and text.startswith("{", behind):
        hint = "parameters are written (- YAML -) or ({JSON}); write ; before a new statement"
        yield Problem(behind, "this subflow is a statement of its own, not parameters of the resource", hint)
