"""The abstract syntax of the flows that the fault tests make, and its text in the littleflow language.

Nothing here comes from lfr: the compiler must read from the text what the generator meant.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Value: TypeAlias = Any
"""A JSON value."""


@dataclass(frozen=True, slots=True)
class Guard:
    """A guard as text, and what it means as a function of the input."""

    text: str
    holds: Callable[[Value], bool]


@dataclass(slots=True)
class Call:
    """The call of a task. `index` is the number of its step, see `number_steps`.

    name         as it stands in the flow text; `base` is the task behind it
    parameters   as they stand in the text
    effective    with the defaults of declarations
    """

    name: str
    parameters: dict[str, Value] = field(default_factory=dict)
    base: str = ""
    effective: dict[str, Value] = field(default_factory=dict)
    index: int = 0

    def __post_init__(self) -> None:
        self.base = self.base or self.name
        self.effective = self.effective or self.parameters


@dataclass(slots=True)
class Step:
    """A step: calls side by side (`a|b`), a subflow in braces, a subflow that is declared as a task, or a
    stored flow, by its name, with the numbers that its steps have there."""

    calls: list[Call] = field(default_factory=list)
    scope: Scope | None = None
    declared: str = ""
    stored: str = ""
    prefix: str = ""
    guard: Guard | None = None
    index: int = 0

    @property
    def is_simple(self) -> bool:
        """Whether this is one call, without braces of its own."""
        return len(self.calls) == 1


@dataclass(slots=True)
class Source:
    """What a statement begins with: a literal, or a resource that holds a value."""

    value: Value
    uri: str = ""
    index: int = 0


@dataclass(slots=True)
class Statement:
    """Steps one after the other.

    source   a literal or a resource before the first step
    sink     the URI of a resource after the last step
    leads    whether it ends with `-> :x`
    follows  whether it begins with `:x ->`
    """

    steps: list[Step]
    source: Source | None = None
    sink: str = ""
    sink_index: int = 0
    leads: bool = False
    follows: bool = False


@dataclass(slots=True)
class Scope:
    """Statements side by side: a flow, or the inside of a subflow."""

    statements: list[Statement]


@dataclass(slots=True)
class Program:
    """A whole flow: its outermost scope, declared tasks, and whether it loops."""

    scope: Scope
    declarations: list[str] = field(default_factory=list)
    merges_output: bool = False
    loops: bool = False
    last_index: int = 0

    def text(self) -> str:
        """Return the flow text."""
        scope = _scope_text(self.scope)
        if self.loops:
            scope += " -> :start"
        elif self.merges_output:
            scope += " -> > :end"
        return ";\n".join([*self.declarations, scope])

    def calls(self) -> Iterator[tuple[Call, bool]]:
        """Yield every call, and whether it is in an iterated step."""
        yield from _calls(self.scope, is_iterated=False)


def number_steps(program: Program) -> None:
    """Number the steps as docs/language.md says: from left to right, braces have numbers of their own."""
    program.last_index = _number_scope(program.scope, 1)


def _number_scope(scope: Scope, index: int) -> int:
    for statement in scope.statements:
        if statement.source is not None:
            statement.source.index = index
            index += 1
        for step in statement.steps:
            index = _number_step(step, index)
        if statement.sink:
            statement.sink_index = index
            index += 1
    return index


def _number_step(step: Step, index: int) -> int:
    step.index = index
    if step.is_simple:
        step.calls[0].index = index
        return index + 1
    if step.stored:
        return index + 1
    if step.scope is not None:
        return _number_scope(step.scope, index + 1) + 1
    for call in step.calls:
        index += 1
        call.index = index
    return index + 2


def _calls(scope: Scope, *, is_iterated: bool) -> Iterator[tuple[Call, bool]]:
    for statement in scope.statements:
        for step in statement.steps:
            is_inside = is_iterated or step.prefix == "* "
            for call in step.calls:
                yield call, is_inside
            if step.scope is not None:
                yield from _calls(step.scope, is_iterated=is_inside)


def _scope_text(scope: Scope) -> str:
    return ";\n".join(map(_statement_text, scope.statements))


def _statement_text(statement: Statement) -> str:
    parts = [":x"] if statement.follows else []
    if statement.source is not None:
        parts.append(f"<{statement.source.uri or _literal_text(statement.source.value)}>")
    parts += map(_step_text, statement.steps)
    if statement.sink:
        parts.append(f"<{statement.sink}>")
    if statement.leads:
        parts.append(":x")
    return " -> ".join(parts)


def _literal_text(value: Value) -> str:
    return "" if value == {} else json.dumps(value)


def _step_text(step: Step) -> str:
    guard = f"? `{step.guard.text}` " if step.guard else ""
    if step.declared:
        body = step.declared
    elif step.stored:
        body = f"flow:{step.stored}"
    elif step.scope is not None:
        body = "{ " + _scope_text(step.scope) + " }"
    else:
        body = "|".join(map(_call_text, step.calls))
    return f"{step.prefix}{guard}{body}"


def _call_text(call: Call) -> str:
    return f"{call.name} ({json.dumps(call.parameters)})" if call.parameters else call.name
