"""The flow: the compiled, immutable graph that the engine runs, and its canonical JSON.

`language.compile_flow` makes a flow; all workflows of the same flow share it by its digest. Steps are
numbered in the order of the text, from 0 (the start) to the last one (the end); the index of a step is
its position in `Flow.steps`.
"""

from __future__ import annotations

import gc
import hashlib
import json
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import Final, TypeAlias

from lfr.step_options import (
    CALL_PREFIX,
    EACH,
    LOAD,
    STORE,
    BadStepOptions,
    Invocation,
    StepOptions,
    parse_flow_timeout,
    parse_step_options,
    task_parameters,
)
from lfr.values.checks import read_whole_number
from lfr.values.json import Json

MAX_ATTEMPT: Final = 500_000_000
"""The highest number of an attempt: far below the nine digits that a history can hold."""

WORKFLOW_INPUT: Final = -1
"""The index under which the workflow's own input stands among the outputs of its steps."""


class StepKind(StrEnum):
    """What a step is; this decides what the engine does when the step starts."""

    START = "start"
    END = "end"
    TASK = "task"
    SUBFLOW = "subflow"
    SUBFLOW_END = "subflow-end"
    LITERAL = "literal"
    RESOURCE = "resource"


@dataclass(frozen=True, slots=True)
class Step:
    """One node of a flow. A field that does not apply to the step's kind has its default value.

    index       the step's number, from 0, in the order of the text
    name        of a task: its name as written; of a subflow: the declared task that it replaces
    base        of an alias: the task behind it
    parameters  of a task or resource: the parameters merged over the defaults, or None; of a declared
                subflow: the step options only
    merge       a list as input is merged into one object first
    iterate     the step runs once for each item of its input
    guard       the guard without back quotes, or None
    end         of a subflow: the index of its subflow-end
    value       of a literal: the value
    uri, sink   of a resource: the URI to load from or, if `sink`, to store to
    """

    index: int
    kind: StepKind
    name: str = ""
    base: str = ""
    parameters: Json = None
    merge: bool = False
    iterate: bool = False
    guard: str | None = None
    end: int = -1
    value: Json = None
    uri: str = ""
    sink: bool = False

    @property
    def task(self) -> str:
        """The task that a worker is chosen for: the one behind the alias, or the name itself."""
        return self.base or self.name

    @property
    def is_call(self) -> bool:
        """Whether the step runs a stored flow as its child. An iterated one does so in each of its items."""
        return self.kind is StepKind.TASK and not self.iterate and self.task.startswith(CALL_PREFIX)

    @property
    def called_flow(self) -> str:
        """The name of the stored flow that the step, or each of its items, calls; empty if it is no call."""
        is_task = self.kind is StepKind.TASK and self.task.startswith(CALL_PREFIX)
        return self.task.removeprefix(CALL_PREFIX) if is_task else ""

    @property
    def called_version(self) -> int | None:
        """The version that a call names, if it is one; None: the latest."""
        parameters = task_parameters(self.parameters)
        return read_whole_number(parameters.get("version")) if isinstance(parameters, dict) else None

    @property
    def has_children(self) -> bool:
        """Whether child workflows run for the step: the items of an iteration, or the flow that it calls."""
        return self.iterate or self.is_call

    @property
    def ignores_input(self) -> bool:
        """Whether the step is a literal or a loaded resource: these ignore the outputs of earlier steps."""
        return self.kind is StepKind.LITERAL or (self.kind is StepKind.RESOURCE and not self.sink)

    def invocation(self) -> Invocation:
        """Return what a task, a resource or an iterated step invokes. Raises BadStepOptions.

        An iterated step of any kind invokes `lfr:each` without parameters. Of its options only the limit is
        for that; the others hold for each of its items.
        """
        options = parse_step_options(self.parameters)
        if self.iterate:
            return Invocation(EACH, EACH, {}, StepOptions(limit=options.limit))
        parameters = task_parameters(self.parameters)
        if self.kind is StepKind.RESOURCE:
            name = STORE if self.sink else LOAD
            return Invocation(name, name, {**parameters, "uri": self.uri}, options)
        return Invocation(self.name, self.task, parameters, options)

    def to_dict(self) -> dict[str, Json]:
        """Return the step as plain data: `index`, `kind`, and the fields without their default value."""
        data: dict[str, Json] = {"index": self.index, "kind": self.kind.value}
        keys = ("name", "base", "merge", "iterate", "guard", "uri", "sink")
        data |= {key: value for key in keys if (value := getattr(self, key)) not in (None, False, "")}
        if self.parameters is not None:
            data["parameters"] = self.parameters
        if self.kind is StepKind.SUBFLOW:
            data["end"] = self.end
        if self.kind is StepKind.LITERAL:
            data["value"] = self.value
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Json]) -> Step:
        """Build the step from the result of `to_dict`. Raises KeyError, TypeError or ValueError."""
        return cls(**{**data, "kind": StepKind(data["kind"])})


Edge: TypeAlias = tuple[int, int]
"""The indices of two steps: when the first ends, the second receives an activation."""


@dataclass(frozen=True)
class Flow:
    """A compiled flow.

    steps       by index; the first is the start, the last is the end
    edges       sorted, each once
    name        from `@flow NAME`, else empty
    doc         the documentation of `@flow`
    docs        the documentation of declared tasks, by name
    parameters  those of `@flow`, or None; only what stands under `lfr` is for lfr, the rest for readers

    A child workflow, which runs one item of an iterated step, runs a part of a flow: the same steps with
    the same indices, of which only those from `first` to `last` take part. `part` makes it and sets
    `part_end` and `part_name`.
    """

    steps: tuple[Step, ...]
    edges: tuple[Edge, ...]
    name: str = ""
    doc: str = ""
    docs: Mapping[str, str] = field(default_factory=dict)
    parameters: Json = None
    first: int = 0
    part_end: int | None = None
    part_name: str = ""

    @cached_property
    def invocation_of(self) -> Callable[[int], Invocation]:
        """A function that returns `Step.invocation` by the step's index, cached. Raises BadStepOptions."""
        return lru_cache(maxsize=4096)(lambda index: self.steps[index].invocation())

    @cached_property
    def timeout(self) -> float | None:
        """How many seconds a workflow of this flow may take; None: any time, also for the part of an item."""
        if self.part_end is not None:
            return None
        try:
            return parse_flow_timeout(self.parameters)
        except BadStepOptions:  # an earlier version has compiled it, and stored whatever stood there
            return None

    @cached_property
    def successors(self) -> tuple[tuple[int, ...], ...]:
        """By index: the steps that receive an activation when this one ends, in ascending order."""
        return _neighbours(self.edges, len(self.steps))

    @cached_property
    def predecessors(self) -> tuple[tuple[int, ...], ...]:
        """By index: the steps that lead to this one, in ascending order."""
        return _neighbours(((target, source) for source, target in self.edges), len(self.steps))

    @cached_property
    def input_sources(self) -> tuple[tuple[int, ...], ...]:
        """By index: the steps whose outputs make up the step's input.

        The first step has WORKFLOW_INPUT alone, even if loops lead to it. A literal and a loaded resource
        have none: they ignore the steps before them.
        """
        sources = [() if step.ignores_input else self.predecessors[step.index] for step in self.steps]
        sources[self.first] = (WORKFLOW_INPUT,)
        return tuple(sources)

    @cached_property
    def thresholds(self) -> tuple[int, ...]:
        """By index: how many activations start the step: one from each predecessor, at least 1.

        1 for the flow's start, however many loops lead to it.
        """
        return (1, *(max(1, len(sources)) for sources in self.predecessors[1:]))

    @property
    def last(self) -> int:
        """The index of the end, whose output is the workflow's."""
        return len(self.steps) - 1 if self.part_end is None else self.part_end

    @property
    def own_steps(self) -> tuple[Step, ...]:
        """The steps of the flow, or of the part."""
        return self.steps[self.first : self.last + 1]

    @cached_property
    def tasks(self) -> frozenset[str]:
        """The tasks of all steps of the whole flow: those behind the aliases."""
        return frozenset(step.task for step in self.steps)

    @cached_property
    def steps_with_children(self) -> tuple[int, ...]:
        """The indices of `own_steps` that are iterated or call a flow, in ascending order."""
        return tuple(step.index for step in self.own_steps if step.has_children)

    @cached_property
    def has_calls(self) -> bool:
        """Whether a step of the whole flow calls a stored flow, itself or in each of its items."""
        return any(step.called_flow for step in self.steps)

    @cached_property
    def steps_of_items(self) -> frozenset[int]:
        """The indices of `own_steps` that are inside an iterated subflow: they run in its items alone."""
        boxes = (step for step in self.own_steps if step.iterate and step.kind is StepKind.SUBFLOW)
        return frozenset(index for box in boxes for index in range(box.index + 1, box.end))

    @property
    def step_count(self) -> int:
        """How many of `own_steps` the workflow itself does."""
        return self.size - len(self.steps_of_items)

    @property
    def size(self) -> int:
        """The number of `own_steps`."""
        return self.last - self.first + 1

    def part(self, index: int) -> Flow:
        """Return the part that runs for each item of an iterated step: a task or a subflow.

        For a task, that is the step alone; for a subflow, all steps from its start to its end, which become
        the start and the end of the part. Its first step is not iterated and has no guard: a guard is
        evaluated once for all items.
        """
        step = self.steps[index]
        alone = replace(step, iterate=False, merge=False, guard=None)
        name = f"{self.reference}/{index}"
        if step.kind is not StepKind.SUBFLOW:
            steps = _replaced(self.steps, alone)
            return replace(self, steps=steps, edges=(), first=index, part_end=index, part_name=name)
        steps = _replaced(self.steps, replace(alone, kind=StepKind.START, end=-1))
        steps = _replaced(steps, replace(steps[step.end], kind=StepKind.END))
        begin, end = bisect_left(self.edges, (index,)), bisect_left(self.edges, (step.end,))
        edges = self.edges[begin:end]
        return replace(self, steps=steps, edges=edges, first=index, part_end=step.end, part_name=name)

    @cached_property
    def reference(self) -> str:
        """The flow's name in a workflow's record: its digest, followed by `/INDEX` for each `part`."""
        return self.part_name or self.digest

    def to_dict(self) -> dict[str, Json]:
        """Return the flow as plain data: `steps`, `edges`, and `name`, `doc`, `docs`, `parameters` if set."""
        with gc_paused():
            data: dict[str, Json] = {
                "steps": [step.to_dict() for step in self.steps],
                "edges": [list(edge) for edge in self.edges],
            }
        texts = {"name": self.name, "doc": self.doc, "docs": dict(self.docs)}
        data |= {key: value for key, value in texts.items() if value}
        if self.parameters is not None:
            data["parameters"] = self.parameters
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Json]) -> Flow:
        """Build the flow from the result of `to_dict`. Raises KeyError, TypeError or ValueError."""
        with gc_paused():
            steps = tuple(Step.from_dict(step) for step in data["steps"])
            edges = tuple((source, target) for source, target in data["edges"])
        texts = {key: data[key] for key in ("name", "doc", "docs", "parameters") if key in data}
        return cls(steps, edges, **texts)

    @cached_property
    def canonical_json(self) -> str:
        """The only JSON text of this flow: with sorted keys and no white space."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))

    @cached_property
    def digest(self) -> str:
        """The identity of the flow: the SHA-256 of its canonical JSON, in hexadecimal."""
        return hashlib.sha256(self.canonical_json.encode()).hexdigest()


class TooManyParts(ValueError):
    """The parts of a flow that are needed have too many steps together."""


class FlowParts:
    """The parts of flows that one operation needs. Each is made once: to make one, and to follow its edges
    for the first time, takes time that grows with the whole flow.

    `max_steps` is how many steps their flows may have together; None: any number.
    """

    def __init__(self, max_steps: int | None = None) -> None:
        self._parts: dict[str, Flow] = {}
        self._max_steps = max_steps
        self._steps = 0

    def part(self, flow: Flow, index: int) -> Flow:
        """Return `flow.part(index)`. Raises TooManyParts."""
        reference = f"{flow.reference}/{index}"
        if reference not in self._parts:
            self._steps += len(flow.steps)
            if self._max_steps is not None and self._steps > self._max_steps:
                raise TooManyParts(f"the parts of its flow have more than {self._max_steps:,} steps")
            self._parts[reference] = flow.part(index)
        return self._parts[reference]


def _neighbours(edges: Iterable[Edge], size: int) -> tuple[tuple[int, ...], ...]:
    """Return by the first index of the edges all of their second ones."""
    lists: list[list[int]] = [[] for _ in range(size)]
    for one, other in edges:
        lists[one].append(other)
    return tuple(map(tuple, lists))


def _replaced(steps: tuple[Step, ...], step: Step) -> tuple[Step, ...]:
    return (*steps[: step.index], step, *steps[step.index + 1 :])


@contextmanager
def gc_paused() -> Iterator[None]:
    """Disable Python's garbage collector within a block that allocates many objects and no cycles.

    The collector would scan all of them again and again, and free nothing. Blocks may be nested, and run in
    several threads: the collector is enabled again at the end of the block that has disabled it.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
