"""Keys that stand twice in one object."""

from __future__ import annotations

import json
from collections.abc import Iterator

from lfr.language.ast import FlowText, Literal, Resource, Scope, Statement, all_scopes, tasks_of
from lfr.language.diagnostics import Problem
from lfr.values.duplicate_keys import repeated_keys


def doubtful_literals(tree: FlowText, text: str) -> Iterator[Problem]:
    """Keys of which only the last is heeded."""
    for literal in _literals(tree):
        for key, at in repeated_keys(text, literal.at):
            shown = json.dumps(key[:40], ensure_ascii=False)
            yield Problem(at, f"the key {shown} stands in this object already; the last one counts")


def _literals(tree: FlowText) -> Iterator[Literal]:
    for declaration in tree.declarations:
        if declaration.parameters is not None:
            yield declaration.parameters
    for scope in all_scopes(tree):
        for task in tasks_of(scope):
            if task.parameters is not None:
                yield task.parameters
        yield from _around(scope)


def _around(scope: Scope) -> Iterator[Literal]:
    """What stands at the ends of statements."""
    for statement in scope.statements:
        for end in _ends(statement):
            if isinstance(end, Literal):
                yield end
            elif isinstance(end, Resource) and end.parameters is not None:
                yield end.parameters


def _ends(statement: Statement) -> Iterator[object]:
    yield statement.source
    if statement.target is not None:
        yield statement.target.to
