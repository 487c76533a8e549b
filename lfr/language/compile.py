"""Tree -> Flow: numbering, subflows, labels, edges.

Steps are numbered by one count through the text, from left to right: 0 is the flow's start, the last
number its end. A subflow takes a number at its opening bracket, where edges into it lead, and another
at its closing bracket, where edges out of it begin. A task that is declared as a subflow is replaced by
it at each use. `A|B` is a subflow of one statement for each task.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby, pairwise, product
from typing import Any, Final, NamedTuple

from lfr.flow import Edge, Flow, StepKind, gc_paused
from lfr.flow import Step as FlowStep
from lfr.language.ast import (
    FlowText,
    Label,
    Literal,
    Resource,
    Scope,
    Statement,
    Step,
    Task,
    all_scopes,
)
from lfr.language.declarations import Declared, Meaning, Mismatch, common_problem, declared, merged
from lfr.language.diagnostics import BadSyntax, Problem, Source
from lfr.language.labels import END, START, check_labels
from lfr.language.loops import check_loops
from lfr.language.parse import MAX_DEPTH, Parsed, parse
from lfr.language.resolve import resolve, root_of
from lfr.tasks.step_options import RESERVED_KEY
from lfr.values.json import Json

MAX_STEPS: Final = 1_000_000
"""Declared subflows in declared subflows double with each level: a short text can ask for any number."""

MAX_EDGES: Final = 2_000_000
"""A label makes an edge from each step before it to each step behind it: as many as their product."""

MAX_CHARACTERS: Final = 128 * 1024 * 1024
"""Characters of all values, names and guards, written out: those of declarations count at each use."""

_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Compiled:
    """A flow, and what its text knows beyond it.

    places   by step: its place in the text; that of a subflow is its bracket or, if it has been declared,
             its name where it is used
    returns  by step: the place of the `:start` behind it, if it goes back there
    """

    flow: Flow
    tree: FlowText
    names: Declared
    places: tuple[int, ...]
    returns: Mapping[int, int]


def compile_flow(text: str, base: str | None = None, *, source: str = "FLOW") -> Flow:
    """The flow that a text describes. Messages call the text by the name `source`.

    Relative resources are resolved against `base`, an absolute folder or a URL; without one they stay as
    they are written. Raises FlowError, with all that is wrong and its places, and BadInput for a base
    that is neither.
    """
    with gc_paused():
        return compile_source(Source.of(text, source), base).flow


def compile_source(source: Source, base: str | None = None) -> Compiled:
    """As `compile_flow`, with what there is to know for warnings."""
    root = "" if base is None else root_of(base)
    if half := _SURROGATE.search(source.text):
        raise source.error([_half_character(half)])
    parsed = parse(source.text)
    tree, names = parsed.tree, declared(parsed.tree)
    problems = [*parsed.problems, *_label_problems(parsed), *names.problems]
    if names.has_circle or not parsed.is_sure:
        raise source.error(problems)
    builder = _Builder(names, root)
    try:
        flow = builder.flow(tree.scope)
    except BadSyntax as error:
        raise source.error([*problems, *builder.problems, error.problem]) from None
    problems += builder.problems
    if not problems:  # else edges may be missing that are there
        problems += check_loops(flow, builder.returns)
    if problems:
        raise source.error(problems)
    return Compiled(flow, tree, names, tuple(builder.places), builder.returns)


def _label_problems(parsed: Parsed) -> Iterator[Problem]:
    """What is wrong with labels. None of a scope that may have others, in what could not be read."""
    for scope in all_scopes(parsed.tree):
        if parsed.is_sure and (parsed.is_whole or scope.is_subflow):
            yield from check_labels(scope)


def _half_character(half: re.Match[str]) -> Problem:
    """What to say of half a surrogate pair. Who decodes with `surrogateescape` has one for each bad byte."""
    byte = ord(half[0]) - 0xDC00
    if 0x80 <= byte <= 0xFF:
        return Problem(half.start(), f"this is not UTF-8 text: byte 0x{byte:02x}", "save it as UTF-8")
    return Problem(half.start(), "half of a surrogate pair is no character")


class _Span(NamedTuple):
    """A step: where edges lead to, and where they begin. The two differ at a subflow."""

    entry: int
    exit: int


class _Flags(NamedTuple):
    """What a statement says of a step, be it a task or a subflow."""

    merge: bool = False
    iterate: bool = False
    guard: str | None = None


@dataclass(slots=True)
class _Open:
    """A scope whose end has no number yet.

    start      the step that it begins with
    at         its place in the text
    consumers  by label: the entries that it leads to; `:start` and `:end` are labels, too
    producers  by label: the exits that lead to it
    merging    labels behind a `>`: their consumers merge what they get
    """

    start: int
    at: int
    consumers: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    producers: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    merging: set[str] = field(default_factory=set)


class _Builder:
    """The flow in the making. Resources are resolved against `root`, if it is not empty."""

    def __init__(self, names: Declared, root: str) -> None:
        self.problems: list[Problem] = []
        self.places: list[int] = []
        self.returns: dict[int, int] = {}
        self._names = names
        self._root = root
        self._steps: list[FlowStep] = []
        self._edges: list[Edge] = []
        self._text_left = MAX_CHARACTERS
        self._sizes: dict[int, int] = {}
        self._depth = 0

    def flow(self, scope: Scope) -> Flow:
        opened = _Open(self._add(StepKind.START, scope.at), scope.at)
        self._fill(opened, scope.statements, StepKind.END)
        edges = tuple(edge for edge, _ in groupby(sorted(self._edges)))
        names = self._names
        return Flow(tuple(self._steps), edges, names.name, names.doc, names.docs, names.parameters)

    def _add(self, kind: StepKind, at: int, **fields: Any) -> int:
        """A new step with these fields; its number. `at` is its place in the text."""
        index = len(self._steps)
        self._check_room(at, 1)
        self._text_left -= sum(map(self._size, fields.values()))
        if self._text_left < 0:
            raise BadSyntax(at, f"here the flow has more than {MAX_CHARACTERS:,} characters, written out")
        self._steps.append(FlowStep(index, kind, **fields))
        self.places.append(at)
        return index

    def _size(self, value: Json) -> int:
        """The length of a value in characters. Values live as long as the tree or the steps do."""
        if not isinstance(value, dict | list):
            return len(value) if isinstance(value, str) else 0
        if id(value) not in self._sizes:
            self._sizes[id(value)] = len(json.dumps(value))
        return self._sizes[id(value)]

    def _check_room(self, at: int, steps: int) -> None:
        if len(self._steps) + steps > MAX_STEPS:
            raise BadSyntax(at, f"here the flow has more than {MAX_STEPS:,} steps")

    def _connect(self, at: int, sources: list[int], targets: list[int]) -> None:
        """An edge from each to each."""
        if len(self._edges) + len(sources) * len(targets) > MAX_EDGES:
            raise BadSyntax(at, f"here the flow has more than {MAX_EDGES:,} edges")
        self._edges.extend(product(sources, targets))

    def _fill(self, opened: _Open, statements: Iterable[Statement], closing: StepKind) -> int:
        """All of a scope behind its start; the number of its end."""
        for statement in statements:
            self._statement(statement, opened)
        end = self._add(closing, opened.at)
        opened.consumers[START].append(opened.start)
        opened.consumers[END].append(end)
        for name, exits in opened.producers.items():
            self._connect(opened.at, exits, opened.consumers[name])
        for name in opened.merging:
            for index in opened.consumers[name]:
                self._steps[index] = replace(self._steps[index], merge=True)
        return end

    def _statement(self, statement: Statement, opened: _Open) -> None:
        source, target = statement.source, statement.target
        spans: list[_Span] = []
        if isinstance(source, Literal):
            spans.append(self._single(StepKind.LITERAL, source.at, value=source.value))
        elif isinstance(source, Resource):
            spans.append(self._resource(source))
        for step in statement.steps:  # a generator here would be a frame more for each level of subflows
            spans.append(self._step(step, opened))
        label = END
        if target and isinstance(target.to, Resource):
            spans.append(self._resource(target.to, sink=True, merge=target.merges_at is not None))
        elif target and isinstance(target.to, Label):
            label = target.to.name
            if label == START:
                self.returns[spans[-1].exit] = target.to.at
            if target.merges_at is not None:
                opened.merging.add(label)
        for one, following in pairwise(spans):
            self._connect(opened.at, [one.exit], [following.entry])
        if isinstance(source, Label) and source.name != START:
            opened.consumers[source.name].append(spans[0].entry)
        else:
            self._connect(opened.at, [opened.start], [spans[0].entry])
        opened.producers[label].append(spans[-1].exit)

    def _single(self, kind: StepKind, at: int, **fields: Any) -> _Span:
        index = self._add(kind, at, **fields)
        return _Span(index, index)

    def _resource(self, resource: Resource, *, sink: bool = False, merge: bool = False) -> _Span:
        parameters = self._parameters(_PLAIN, resource)
        if resource.parameters and not isinstance(parameters, dict | None):
            message = "the parameters of a resource are an object, such as (- method: PUT -)"
            self.problems.append(Problem(resource.parameters.at, message))
        return self._single(
            StepKind.RESOURCE,
            resource.at,
            uri=self._uri(resource),
            parameters=parameters,
            sink=sink,
            merge=merge,
        )

    def _uri(self, resource: Resource) -> str:
        try:
            return resolve(resource.uri, self._root) if self._root else resource.uri
        except ValueError as error:
            self.problems.append(Problem(resource.at, f"this URI cannot be read: {error}"))
            return resource.uri

    def _step(self, step: Step, opened: _Open) -> _Span:
        flags = _Flags(step.merges, step.iterates_at is not None, step.guard)
        if isinstance(step.content, Scope):
            span = self._subflow(step.content.statements, step.content.at, flags)
        elif len(step.content) == 1:
            span = self._task(step.content[0], flags)
        else:
            each = [Statement(None, (Step((task,)),), None) for task in step.content]
            span = self._subflow(each, step.content[0].at, flags)
        if step.before:
            opened.consumers[step.before.name].append(span.entry)
        if step.after:
            opened.producers[step.after.name].append(span.exit)
        return span

    def _task(self, task: Task, flags: _Flags) -> _Span:
        meaning = self._names.meanings.get(task.name, _PLAIN)
        if meaning.subflow is not None:
            self._check_room(task.at, self._names.sizes[task.name])
            told = self._parameters(meaning, task)
            span = self._subflow(meaning.subflow.statements, task.at, flags, task.name)
            if isinstance(told, dict) and RESERVED_KEY in told:
                own = {RESERVED_KEY: told[RESERVED_KEY]}
                self._steps[span.entry] = replace(self._steps[span.entry], parameters=own)
            return span
        parameters = self._parameters(meaning, task)
        return self._single(
            StepKind.TASK,
            task.at,
            name=task.name,
            base=meaning.base,
            parameters=parameters,
            **flags._asdict(),
        )

    def _parameters(self, meaning: Meaning, use: Task | Resource) -> Json:
        """What a use of a task is given: the defaults, and over them its own."""
        name = use.name if isinstance(use, Task) else ""
        problem = common_problem(use.parameters, name, meaning.subflow)
        try:
            parameters = merged(meaning.parameters, use.parameters)
        except Mismatch as error:
            problem = error.problem
        if problem is None:
            return parameters
        self.problems.append(problem)
        return None

    def _subflow(self, statements: Iterable[Statement], at: int, flags: _Flags, name: str = "") -> _Span:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise BadSyntax(at, f"here subflows are more than {MAX_DEPTH} levels deep")
        index = self._add(StepKind.SUBFLOW, at, name=name, **flags._asdict())
        end = self._fill(_Open(index, at), statements, StepKind.SUBFLOW_END)
        self._steps[index] = replace(self._steps[index], end=end)
        self._depth -= 1
        return _Span(index, end)


_PLAIN: Final = Meaning()
