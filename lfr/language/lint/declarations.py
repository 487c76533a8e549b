"""Declarations that change nothing, and parameters that reach nobody."""

from __future__ import annotations

from collections.abc import Iterator

from lfr.language.ast import Declaration, FlowText, Literal, all_scopes, tasks_of
from lfr.language.declarations import Declared, uses_of
from lfr.language.diagnostics import Problem
from lfr.tasks.step_options import RESERVED_KEY
from lfr.values.json import Json


def doubtful_declarations(tree: FlowText, names: Declared) -> Iterator[Problem]:
    """Tasks that are declared twice, or in vain; parameters of what has no use for them."""
    tasks: dict[str, Declaration] = {}
    for declaration in tree.declarations:
        if declaration.keyword != "task":
            continue
        name, earlier = declaration.name, tasks.get(declaration.name)
        if earlier is not None:
            message = f"{name} is declared again: this replaces what was declared before"
            yield Problem(declaration.at, message, cause=earlier.at)
        tasks[name] = declaration
    used = _used(tree, tasks)
    for name, declaration in tasks.items():
        if name not in used:
            yield Problem(declaration.at, f"{name} is declared and never used")
        if names.meanings[name].subflow is not None:
            yield from _parameters_in_vain(name, declaration.parameters)
    for scope in all_scopes(tree):
        for task in tasks_of(scope):
            if task.name in names.meanings and names.meanings[task.name].subflow is not None:
                yield from _parameters_in_vain(task.name, task.parameters)


def _used(tree: FlowText, tasks: dict[str, Declaration]) -> set[str]:
    """The declared names that the flow uses, or that such a one uses."""
    used: set[str] = set()
    ahead = list(uses_of(tree.scope))
    while ahead:
        name = ahead.pop()
        if name in used or name not in tasks:
            continue
        used.add(name)
        declaration = tasks[name]
        if declaration.alias:
            ahead.append(declaration.alias)
        if declaration.subflow is not None:
            ahead.extend(uses_of(declaration.subflow))
    return used


def _parameters_in_vain(name: str, parameters: Literal | None) -> Iterator[Problem]:
    if parameters is not None and not _is_for_lfr_alone(parameters.value):
        hint = "give them to the tasks in it"
        yield Problem(parameters.at, f"{name} is a subflow: nobody gets these parameters", hint)


def _is_for_lfr_alone(value: Json) -> bool:
    return not value or (isinstance(value, dict) and set(value) == {RESERVED_KEY})
