"""The tree that a flow's text is read into. Its nodes know their places, as indices into the text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lfr.values.json import Json


@dataclass(frozen=True, slots=True)
class Label:
    """`:name`."""

    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that stands in the text; `at` is its opening sign."""

    value: Json
    at: int


@dataclass(frozen=True, slots=True)
class Resource:
    """`<uri>`, with parameters or without."""

    uri: str
    parameters: Literal | None
    at: int


@dataclass(frozen=True, slots=True)
class Task:
    """A task's name where it is used, with parameters or without."""

    name: str
    parameters: Literal | None
    at: int


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a statement: one task, several between bars, or a subflow in brackets.

    before, after  its labels
    iterates_at    the place of its `*`, or None
    guard          without its back quotes; `guard_at` is the first of these
    """

    content: tuple[Task, ...] | Scope
    before: Label | None = None
    after: Label | None = None
    iterates_at: int | None = None
    merges: bool = False
    guard: str | None = None
    guard_at: int | None = None

    @property
    def at(self) -> int:
        """The place of the first task, or of the bracket."""
        return self.content.at if isinstance(self.content, Scope) else self.content[0].at


@dataclass(frozen=True, slots=True)
class Target:
    """What stands behind the last arrow, if it is no step. `merges_at` is the place of its `>`, or None."""

    to: Label | Resource
    merges_at: int | None


@dataclass(frozen=True, slots=True)
class Statement:
    """Steps with arrows between them; perhaps from a source, perhaps to a target. `at` is its first sign."""

    source: Label | Literal | Resource | None
    steps: tuple[Step, ...]
    target: Target | None
    at: int = -1


@dataclass(frozen=True, slots=True)
class Scope:
    """The statements of the whole flow, or of one subflow; `at` is its opening bracket.

    Labels are seen in their own scope only.
    """

    statements: tuple[Statement, ...]
    at: int
    is_subflow: bool


@dataclass(frozen=True, slots=True)
class Declaration:
    """`@flow` or `@task`; `at` is its `@`."""

    keyword: str
    name: str
    alias: str
    parameters: Literal | None
    doc: str
    subflow: Scope | None
    at: int


@dataclass(frozen=True, slots=True)
class FlowText:
    """A whole text."""

    declarations: tuple[Declaration, ...]
    scope: Scope


def scopes(*outermost: Scope) -> Iterator[Scope]:
    """These scopes and all that are inside them."""
    stack = list(outermost)
    while stack:
        scope = stack.pop()
        yield scope
        for statement in scope.statements:
            stack.extend(step.content for step in statement.steps if isinstance(step.content, Scope))


def all_scopes(text: FlowText) -> Iterator[Scope]:
    """Every scope of a text: the flow's, the declared subflows', and all that are inside them."""
    declared = (declaration.subflow for declaration in text.declarations)
    return scopes(text.scope, *(subflow for subflow in declared if subflow is not None))


def tasks_of(scope: Scope) -> Iterator[Task]:
    """The tasks of a scope, without those of the subflows in it."""
    for statement in scope.statements:
        for step in statement.steps:
            if not isinstance(step.content, Scope):
                yield from step.content
