"""The syntax tree of a flow text. `offset` is always an index into the text, from 0."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lfr.values.json import Json


@dataclass(frozen=True, slots=True)
class Label:
    """`:name`."""

    name: str
    offset: int


@dataclass(frozen=True, slots=True)
class Literal:
    """A JSON or YAML value in the text; `offset` is the offset of its opening `<` or `(`."""

    value: Json
    offset: int


@dataclass(frozen=True, slots=True)
class Resource:
    """`<uri>`, with parameters or None."""

    uri: str
    parameters: Literal | None
    offset: int


@dataclass(frozen=True, slots=True)
class Task:
    """One use of a task: its name, with parameters or None."""

    name: str
    parameters: Literal | None
    offset: int


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a statement: one task, several tasks between bars, or a subflow.

    before, after   the labels on either side of it
    iterate_offset  the offset of its `*`, or None
    merges          a `>` stands before it
    guard           the text between its back quotes; `guard_offset` is the offset of the first back quote
    """

    content: tuple[Task, ...] | Scope
    before: Label | None = None
    after: Label | None = None
    iterate_offset: int | None = None
    merges: bool = False
    guard: str | None = None
    guard_offset: int | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """The label or resource after the last arrow; `merge_offset` is the offset of its `>`, or None."""

    to: Label | Resource
    merge_offset: int | None


@dataclass(frozen=True, slots=True)
class Statement:
    """Steps joined by arrows, with an optional source before them and an optional target after them.

    `offset` is that of its first token; -1 if the compiler has made it, for one task of `A|B`.
    """

    source: Label | Literal | Resource | None
    steps: tuple[Step, ...]
    target: Target | None
    offset: int = -1


@dataclass(frozen=True, slots=True)
class Scope:
    """The statements of the whole flow or of one subflow.

    `offset` is the offset of the opening bracket, and 0 for the whole flow.
    A label is visible in its own scope only.
    """

    statements: tuple[Statement, ...]
    offset: int
    is_subflow: bool

    @property
    def steps(self) -> Iterator[Step]:
        """The steps of all statements, without those of nested subflows."""
        return (step for statement in self.statements for step in statement.steps)

    @property
    def tasks(self) -> Iterator[Task]:
        """The tasks of all statements, without those of nested subflows."""
        return (task for step in self.steps if not isinstance(step.content, Scope) for task in step.content)


@dataclass(frozen=True, slots=True)
class Declaration:
    """`@flow` or `@task`; `keyword` is the word without `@`, `offset` the offset of the `@`.

    alias, doc  empty if there is none
    subflow     the subflow that a task is declared as, or None
    """

    keyword: str
    name: str
    alias: str
    parameters: Literal | None
    doc: str
    subflow: Scope | None
    offset: int


@dataclass(frozen=True, slots=True)
class FlowText:
    """The root of the tree: all declarations, and the statements outside of subflows."""

    declarations: tuple[Declaration, ...]
    scope: Scope


def walk_scopes(*outermost: Scope) -> Iterator[Scope]:
    """Yield these scopes and every scope nested in them, in any order."""
    stack = list(outermost)
    while stack:
        scope = stack.pop()
        yield scope
        stack.extend(step.content for step in scope.steps if isinstance(step.content, Scope))


def walk_all_scopes(tree: FlowText) -> Iterator[Scope]:
    """Yield every scope of a parsed text: that of the flow, of declared subflows, and all nested ones."""
    subflows = (declaration.subflow for declaration in tree.declarations)
    return walk_scopes(tree.scope, *(subflow for subflow in subflows if subflow is not None))


def walk_tasks(tree: FlowText) -> Iterator[Task]:
    """Yield every use of a task in a text, also those in declared subflows, in any order."""
    return (task for scope in walk_all_scopes(tree) for task in scope.tasks)
