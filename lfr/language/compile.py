"""Compiles a flow text: parses it, expands subflows, resolves labels and resources, numbers the steps.

Steps are numbered in the order of the text, from left to right: 0 is the flow's start, the last number
its end. A subflow takes one number at its opening bracket, where edges into it lead, and one at its
closing bracket, where edges out of it begin. Each use of a task that is declared as a subflow is
replaced by that subflow. `A|B` is a subflow with one statement for each task.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby, pairwise, product
from typing import Any, Final, NamedTuple

from lfr.flow import Edge, Flow, Step, StepKind, gc_paused
from lfr.language import ast
from lfr.language.diagnostics import FatalProblem, Problem, SourceText
from lfr.language.input_declarations import flow_parameter_problems
from lfr.language.labels import END, START, check_labels
from lfr.language.parse import MAX_DEPTH, Parsed, parse
from lfr.language.reachability import check_loops
from lfr.language.resolve import parse_base, resolve_uri
from lfr.language.symbols import Symbol, SymbolTable, build_symbol_table, merge_parameters
from lfr.step_options import RESERVED_KEY
from lfr.values.json import Json

MAX_STEPS: Final = 1_000_000
"""Declared subflows within declared subflows double with each level: a short text can ask for any number."""

MAX_EDGES: Final = 2_000_000
"""A label makes an edge from each step before it to each step after it: as many as their product."""

MAX_CHARACTERS: Final = 128 * 1024 * 1024
"""Characters of all values, names and guards; those of a declaration count at each of its uses."""


@dataclass(frozen=True, slots=True)
class FlowLimits:
    """How big a flow may be that a text makes, written out: its steps, its edges, its characters.

    hint  what to do beyond that
    """

    steps: int = MAX_STEPS
    edges: int = MAX_EDGES
    characters: int = MAX_CHARACTERS
    hint: str = ""


LARGEST_FLOW: Final = FlowLimits()

_SURROGATE = re.compile("[\ud800-\udfff]")
_PLAIN: Final = Symbol()


@dataclass(frozen=True, slots=True)
class Compiled:
    """A flow, with the facts about its text that warnings need.

    offsets   by step: its offset in the text; for a subflow, the offset of its bracket or, if the subflow
              is declared, of the name at its use
    restarts  by each step that leads back to `:start`: the offset of that `:start`
    """

    flow: Flow
    tree: ast.FlowText
    symbols: SymbolTable
    offsets: tuple[int, ...]
    restarts: Mapping[int, int]


def compile_flow(text: str, base: str | None = None, *, source: str = "FLOW") -> Flow:
    """Compile a flow text. Messages call the text by the name `source`.

    Relative resources are resolved against `base`, an absolute folder or a URL; without a base they stay
    relative. Raises FlowError with every error in the text, and BadInput for an unusable base.
    """
    with gc_paused():
        return compile_source(SourceText.of(text, source), base).flow


def compile_source(
    source: SourceText, base: str | None = None, limits: FlowLimits = LARGEST_FLOW
) -> Compiled:
    """Compile a text as `compile_flow` does, with the same errors; add the facts that warnings need."""
    root = "" if base is None else parse_base(base)
    if surrogate := _SURROGATE.search(source.text):
        raise source.error([_surrogate_problem(surrogate)])
    parsed = parse(source.text)
    tree, symbols = parsed.tree, build_symbol_table(parsed.tree)
    problems = [*parsed.problems, *_label_problems(parsed), *symbols.problems]
    problems += flow_parameter_problems(tree, source.text)
    if symbols.has_cycle or not parsed.is_certain:
        raise source.error(problems)
    builder = _FlowBuilder(symbols, root, limits)
    try:
        flow = builder.build(tree.scope)
    except FatalProblem as error:
        raise source.error([*problems, *builder.problems, error.problem]) from None
    problems += builder.problems
    if not problems:  # with errors, edges may be missing from the flow
        problems += check_loops(flow, builder.restarts)
    if problems:
        raise source.error(problems)
    return Compiled(flow, tree, symbols, tuple(builder.offsets), builder.restarts)


def _label_problems(parsed: Parsed) -> Iterator[Problem]:
    """Check the labels of each scope, except where a syntax error may have removed some."""
    for scope in ast.walk_all_scopes(parsed.tree):
        if parsed.is_certain and (parsed.is_complete or scope.is_subflow):
            yield from check_labels(scope)


def _surrogate_problem(surrogate: re.Match[str]) -> Problem:
    """Report half a surrogate pair; `surrogateescape` makes one of each invalid byte."""
    byte = ord(surrogate[0]) - 0xDC00
    if 0x80 <= byte <= 0xFF:
        return Problem(surrogate.start(), f"this is not UTF-8 text: byte 0x{byte:02x}", "save it as UTF-8")
    return Problem(surrogate.start(), "half of a surrogate pair is not a character")


class _Span(NamedTuple):
    """The step to which edges lead, and the one from which they go on (in a subflow, its end)."""

    entry: int
    exit: int


@dataclass(slots=True)
class _OpenScope:
    """A scope whose statements are being added to the flow.

    start      the index of its first step
    offset     its offset in the text
    consumers  by label: the entries of the steps to which it leads; `:start` and `:end` are labels, too
    producers  by label: the exits of the steps that lead to it
    merging    the labels that stand after a `>`: their consumers merge their input
    """

    start: int
    offset: int
    consumers: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    producers: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    merging: set[str] = field(default_factory=set)


class _FlowBuilder:
    """Builds a flow from its syntax tree; resolves resources against `root`, if there is one."""

    def __init__(self, symbols: SymbolTable, root: str, limits: FlowLimits) -> None:
        self.problems: list[Problem] = []
        self.offsets: list[int] = []
        self.restarts: dict[int, int] = {}
        self._symbols = symbols
        self._root = root
        self._steps: list[Step] = []
        self._edges: list[Edge] = []
        self._limits = limits
        self._characters_left = limits.characters
        self._lengths: dict[int, int] = {}
        self._depth = 0

    def build(self, tree: ast.Scope) -> Flow:
        scope = _OpenScope(self._add(StepKind.START, tree.offset), tree.offset)
        self._fill(scope, tree.statements, StepKind.END)
        edges = tuple(edge for edge, _ in groupby(sorted(self._edges)))
        symbols = self._symbols
        return Flow(tuple(self._steps), edges, symbols.name, symbols.doc, symbols.docs, symbols.parameters)

    def _add(self, kind: StepKind, offset: int, **fields: Any) -> int:
        index = len(self._steps)
        self._check_room(offset, 1)
        self._characters_left -= sum(map(self._length, fields.values()))
        if self._characters_left < 0:
            raise self._too_big(offset, f"{self._limits.characters:,} characters, written out")
        self._steps.append(Step(index, kind, **fields))
        self.offsets.append(offset)
        return index

    def _length(self, value: Json) -> int:
        """Return the characters of a value, cached by `id`: the builder keeps all values."""
        if not isinstance(value, dict | list):
            return len(value) if isinstance(value, str) else 0
        if id(value) not in self._lengths:
            self._lengths[id(value)] = len(json.dumps(value))
        return self._lengths[id(value)]

    def _check_room(self, offset: int, steps: int) -> None:
        if len(self._steps) + steps > self._limits.steps:
            raise self._too_big(offset, f"{self._limits.steps:,} steps")

    def _too_big(self, offset: int, limit: str) -> FatalProblem:
        return FatalProblem(offset, f"here the flow has more than {limit}", self._limits.hint)

    def _connect(self, offset: int, sources: list[int], targets: list[int]) -> None:
        if len(self._edges) + len(sources) * len(targets) > self._limits.edges:
            raise self._too_big(offset, f"{self._limits.edges:,} edges")
        self._edges.extend(product(sources, targets))

    def _fill(self, scope: _OpenScope, statements: Iterable[ast.Statement], closing: StepKind) -> int:
        """Add a scope's steps after its start, and its edges; return the index of its end."""
        for statement in statements:
            self._statement(statement, scope)
        end = self._add(closing, scope.offset)
        scope.consumers[START].append(scope.start)
        scope.consumers[END].append(end)
        for name, exits in scope.producers.items():
            self._connect(scope.offset, exits, scope.consumers[name])
        for name in scope.merging:
            for index in scope.consumers[name]:
                self._steps[index] = replace(self._steps[index], merge=True)
        return end

    def _statement(self, statement: ast.Statement, scope: _OpenScope) -> None:
        source, target = statement.source, statement.target
        spans: list[_Span] = []
        if isinstance(source, ast.Literal):
            spans.append(self._single(StepKind.LITERAL, source.offset, value=source.value))
        elif isinstance(source, ast.Resource):
            spans.append(self._resource(source))
        for step in statement.steps:  # a generator would add a stack frame for each level of subflows
            spans.append(self._step(step, scope))
        label = END
        if target and isinstance(target.to, ast.Resource):
            spans.append(self._resource(target.to, sink=True, merge=target.merge_offset is not None))
        elif target and isinstance(target.to, ast.Label):
            label = target.to.name
            if label == START:
                self.restarts[spans[-1].exit] = target.to.offset
            if target.merge_offset is not None:
                scope.merging.add(label)
        for one, following in pairwise(spans):
            self._connect(scope.offset, [one.exit], [following.entry])
        if isinstance(source, ast.Label) and source.name != START:
            scope.consumers[source.name].append(spans[0].entry)
        else:
            self._connect(scope.offset, [scope.start], [spans[0].entry])
        scope.producers[label].append(spans[-1].exit)

    def _single(self, kind: StepKind, offset: int, **fields: Any) -> _Span:
        index = self._add(kind, offset, **fields)
        return _Span(index, index)

    def _resource(self, resource: ast.Resource, *, sink: bool = False, merge: bool = False) -> _Span:
        parameters = self._parameters(_PLAIN, resource)
        if resource.parameters and not isinstance(parameters, dict | None):
            message = "the parameters of a resource are an object, such as (- method: PUT -)"
            self.problems.append(Problem(resource.parameters.offset, message))
        fields = {"uri": self._uri(resource), "parameters": parameters, "sink": sink, "merge": merge}
        return self._single(StepKind.RESOURCE, resource.offset, **fields)

    def _uri(self, resource: ast.Resource) -> str:
        try:
            return resolve_uri(resource.uri, self._root) if self._root else resource.uri
        except ValueError as error:
            self.problems.append(Problem(resource.offset, f"this URI cannot be read: {error}"))
            return resource.uri

    def _step(self, step: ast.Step, scope: _OpenScope) -> _Span:
        iterate = step.iterate_offset is not None
        modifiers = {"merge": step.merges, "iterate": iterate, "guard": step.guard}
        if isinstance(step.content, ast.Scope):
            span = self._subflow(step.content.statements, step.content.offset, modifiers)
        elif len(step.content) == 1:
            span = self._task(step.content[0], modifiers)
        else:
            each = [ast.Statement(None, (ast.Step((task,)),), None) for task in step.content]
            span = self._subflow(each, step.content[0].offset, modifiers)
        if step.before:
            scope.consumers[step.before.name].append(span.entry)
        if step.after:
            scope.producers[step.after.name].append(span.exit)
        return span

    def _task(self, task: ast.Task, modifiers: Mapping[str, Any]) -> _Span:
        symbol = self._symbols.tasks.get(task.name, _PLAIN)
        if symbol.subflow is not None:
            self._check_room(task.offset, self._symbols.sizes[task.name])
            parameters = self._parameters(symbol, task)
            span = self._subflow(symbol.subflow.statements, task.offset, modifiers, task.name)
            if isinstance(parameters, dict) and RESERVED_KEY in parameters:
                options = {RESERVED_KEY: parameters[RESERVED_KEY]}
                self._steps[span.entry] = replace(self._steps[span.entry], parameters=options)
            return span
        parameters = self._parameters(symbol, task)
        fields = {"name": task.name, "base": symbol.base, "parameters": parameters, **modifiers}
        return self._single(StepKind.TASK, task.offset, **fields)

    def _parameters(self, symbol: Symbol, use: ast.Task | ast.Resource) -> Json:
        """Return parameters merged over the defaults; record the error in them."""
        name = use.name if isinstance(use, ast.Task) else ""
        parameters, problem = merge_parameters(symbol, use.parameters, name)
        if problem is not None:
            self.problems.append(problem)
        return parameters

    def _subflow(
        self, statements: Iterable[ast.Statement], offset: int, modifiers: Mapping[str, Any], name: str = ""
    ) -> _Span:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise FatalProblem(offset, f"here subflows are more than {MAX_DEPTH} levels deep")
        index = self._add(StepKind.SUBFLOW, offset, name=name, **modifiers)
        end = self._fill(_OpenScope(index, offset), statements, StepKind.SUBFLOW_END)
        self._steps[index] = replace(self._steps[index], end=end)
        self._depth -= 1
        return _Span(index, end)
