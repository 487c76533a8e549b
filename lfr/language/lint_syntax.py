"""Warnings about the syntax tree of a flow text: declarations, names, line ends, labels, guards, keys."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise

from lfr.guard import parse_guard
from lfr.language import ast
from lfr.language.diagnostics import Problem
from lfr.language.labels import all_labels, lint_labels
from lfr.language.lexer import begins_line
from lfr.language.symbols import SymbolTable, count_task_uses
from lfr.step_options import EACH, LOAD, RESERVED_KEY, STORE
from lfr.tasks.catalogue import CATALOGUE, find_built_in, is_reserved
from lfr.values.checks import suggestion
from lfr.values.literals import duplicate_keys

_LINE_END = re.compile(r"[ \t\f\v]*(?:#|[\r\n])")


def lint_syntax(tree: ast.FlowText, symbols: SymbolTable, text: str) -> Iterator[Problem]:
    """Yield warnings about declarations, names, line ends, labels, guards and repeated keys, in any order."""
    yield from _lint_declarations(tree)
    yield from _lint_subflow_parameters(tree, symbols)
    yield from _lint_names(tree)
    yield from _lint_built_ins(tree, symbols)
    for scope in ast.walk_all_scopes(tree):
        yield from lint_labels(scope)
        for statement in scope.statements:
            yield from _lint_line_ends(statement, text)
        for step in scope.steps:
            yield from _lint_guard(step)
        for one, following in pairwise(scope.statements):
            yield from _lint_braces_after_resource(one, following, text)
    for literal in _literals(tree):
        for key, offset in duplicate_keys(text, literal.offset):
            quoted = json.dumps(key[:40], ensure_ascii=False)
            yield Problem(offset, f"the key {quoted} stands in this object already; the last one counts")


def _lint_declarations(tree: ast.FlowText) -> Iterator[Problem]:
    declarations: dict[str, ast.Declaration] = {}
    for declaration in tree.declarations:
        if declaration.keyword != "task":
            continue
        name, earlier = declaration.name, declarations.get(declaration.name)
        if earlier is not None:
            message = f"{name} is declared again: this replaces the declaration before"
            yield Problem(declaration.offset, message, cause=earlier.offset)
        declarations[name] = declaration
    used = _used_names(tree, declarations)
    for name, declaration in declarations.items():
        if name not in used:
            yield Problem(declaration.offset, f"{name} is declared and never used")


def _used_names(tree: ast.FlowText, declarations: dict[str, ast.Declaration]) -> set[str]:
    """Return the declared names that the flow uses, also through declarations."""
    used: set[str] = set()
    pending = list(count_task_uses(tree.scope))
    while pending:
        name = pending.pop()
        if name in used or name not in declarations:
            continue
        used.add(name)
        declaration = declarations[name]
        if declaration.alias:
            pending.append(declaration.alias)
        if declaration.subflow is not None:
            pending.extend(count_task_uses(declaration.subflow))
    return used


def _lint_subflow_parameters(tree: ast.FlowText, symbols: SymbolTable) -> Iterator[Problem]:
    """Warn of parameters of subflows and of their uses, except step options."""
    subflows = {name for name, symbol in symbols.tasks.items() if symbol.subflow is not None}
    declarations = {each.name: each for each in tree.declarations if each.keyword == "task"}
    tasks: list[ast.Declaration | ast.Task] = [*declarations.values(), *ast.walk_tasks(tree)]
    for task in tasks:
        value = None if task.parameters is None else task.parameters.value
        is_options = isinstance(value, dict) and set(value) == {RESERVED_KEY}
        if task.name in subflows and task.parameters is not None and value and not is_options:
            message = f"{task.name} is a subflow: no task receives these parameters"
            yield Problem(task.parameters.offset, message, "give them to the tasks in it")


def _lint_names(tree: ast.FlowText) -> Iterator[Problem]:
    labels = (label for scope in ast.walk_all_scopes(tree) for label in all_labels(scope))
    nodes: list[ast.Declaration | ast.Task | ast.Label] = [*tree.declarations, *ast.walk_tasks(tree), *labels]
    for node in nodes:
        if node.name.endswith(("-", ":")):
            message = f"the last character of the name {node.name} is {node.name[-1]}"
            yield Problem(node.offset, message, "a blank before it ends the name")


def _lint_built_ins(tree: ast.FlowText, symbols: SymbolTable) -> Iterator[Problem]:
    """Yield an error for each reserved name of no built-in task: such a task would wait for ever."""
    names = [(task.name, task.offset) for task in ast.walk_tasks(tree)]
    names += [(declaration.alias, declaration.offset) for declaration in tree.declarations]
    for name, offset in names:
        if name in symbols.tasks or not is_reserved(name) or name in (EACH, LOAD, STORE):
            continue
        if find_built_in(name) is None:
            near = suggestion(name, [task.name for task in CATALOGUE])
            hint = near or "choose another name for a task of your own"
            message = f"there is no task {name} in lfr, and no other worker may do it"
            yield Problem(offset, message, hint, is_error=True)


def _lint_line_ends(statement: ast.Statement, text: str) -> Iterator[Problem]:
    """Warn of labels that belong to a step on another line.

    `A -> :x` and `B` on two lines are `A -> :x B`; `A` and `:x -> B` on two lines are `A :x -> B`.
    """
    for number, step in enumerate(statement.steps):
        before = step.before if number > 0 or statement.source is not None else None
        if before is not None and _LINE_END.match(text, before.offset + 1 + len(before.name)):
            message = f":{before.name} is the label of the step on the next line"
            yield Problem(before.offset, message, "write ; after it if it ends the statement")
        if step.after is not None and begins_line(text, step.after.offset):
            message = f":{step.after.name} is the label of the step on the line before"
            yield Problem(step.after.offset, message, "write ; before it if it begins a statement")


def _lint_braces_after_resource(one: ast.Statement, following: ast.Statement, text: str) -> Iterator[Problem]:
    """Warn of `A -> <uri>{{method:PUT}}`: the braces are a second statement."""
    target = one.target.to if one.target else None
    if not isinstance(target, ast.Resource) or target.parameters is not None or following.source is not None:
        return
    content = following.steps[0].content
    end = target.offset + len(target.uri) + 2
    if isinstance(content, ast.Scope) and content.offset == end and text.startswith("{", end):
        message = "this subflow is a statement of its own, not parameters of the resource"
        hint = "parameters are written (- YAML -) or ({JSON}); write ; before a new statement"
        yield Problem(end, message, hint)


def _lint_guard(step: ast.Step) -> Iterator[Problem]:
    if step.guard is None or step.guard_offset is None:
        return
    mixed_offset = parse_guard(step.guard).mixed_offset
    if mixed_offset is not None:
        cause = step.guard_offset + 1 + mixed_offset
        hint = "put parentheses around what belongs together"
        yield Problem(step.guard_offset, "guard: or binds more closely than and here", hint, cause)


def _literals(tree: ast.FlowText) -> Iterator[ast.Literal]:
    tasks: list[ast.Declaration | ast.Task] = [*tree.declarations, *ast.walk_tasks(tree)]
    yield from (task.parameters for task in tasks if task.parameters is not None)
    for statement in (each for scope in ast.walk_all_scopes(tree) for each in scope.statements):
        target = statement.target.to if statement.target else None
        for end in (statement.source, target):
            if isinstance(end, ast.Literal):
                yield end
            elif isinstance(end, ast.Resource) and end.parameters is not None:
                yield end.parameters
