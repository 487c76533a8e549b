"""A flow: the compiled graph that the engine runs. Plain frozen data, and its canonical JSON.

A flow is made by `language.compile_flow` and never changes afterwards; every workflow that runs the
same text shares it by its digest. Steps are numbered in source order from 0 (the start) to the last
one (the end), so a step's index is its place in `Flow.steps`.
"""

from __future__ import annotations

import gc
import hashlib
import json
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import TypeAlias

from lfr.values.json import Json


class StepKind(StrEnum):
    """What a step is, and so what the engine does when it starts."""

    START = "start"
    END = "end"
    TASK = "task"
    SUBFLOW = "subflow"
    SUBFLOW_END = "subflow-end"
    LITERAL = "literal"
    RESOURCE = "resource"


@dataclass(frozen=True, slots=True)
class Step:
    """One node of a flow. Fields that say nothing for its kind keep their defaults.

    index       its number, from 0, in source order
    name        at a task: its name as written; at a subflow: the declared task that it stands for
    base        at a task: the task behind an alias; else empty
    parameters  at a task or resource: the value, defaults merged in; None if there are none; at a
                declared subflow only what is said to lfr (`lfr`)
    merge       whether a list input is merged into one object first
    iterate     whether the step runs once for each item of its input
    guard       the guard's expression without back quotes, or None
    end         at a subflow: the index of its subflow-end; else -1
    value       at a literal: the value
    uri, sink   at a resource: what is loaded, or, if `sink`, stored
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
        """The task that a worker is chosen by: the one behind the alias, else the name itself."""
        return self.base or self.name

    def to_dict(self) -> dict[str, Json]:
        """The step as plain data: `index`, `kind`, and only those fields that say something."""
        data: dict[str, Json] = {"index": self.index, "kind": self.kind.value}
        for key in ("name", "base", "merge", "iterate", "guard", "uri", "sink"):
            value = getattr(self, key)
            if value is not None and value is not False and value != "":
                data[key] = value
        if self.parameters is not None:
            data["parameters"] = self.parameters
        if self.kind is StepKind.SUBFLOW:
            data["end"] = self.end
        if self.kind is StepKind.LITERAL:
            data["value"] = self.value
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Json]) -> Step:
        """The step that `to_dict` wrote. Raises KeyError, TypeError or ValueError on anything else."""
        return cls(**{**data, "kind": StepKind(data["kind"])})


Edge: TypeAlias = tuple[int, int]
"""From a step's index to a step's index: when the first ends, the second gets an activation."""


@dataclass(frozen=True)
class Flow:
    """A compiled flow.

    steps       by index; the first is the start, the last is the end
    edges       sorted, each once
    name        from `@flow NAME`, else empty
    doc         the documentation of `@flow`
    docs        the documentation of declared tasks, by name
    parameters  those of `@flow`, None if there are none: kept for whoever reads the flow; no run asks them

    What runs for one item of an iterated step is a part of a flow: all its steps, of which only those
    from `first` to `last` take part, under the numbers that they have in the whole. `part` makes it, and
    gives it the `part_name`.
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
    def successors(self) -> tuple[tuple[int, ...], ...]:
        """By index: the steps that get an activation when this one ends, ascending."""
        lists: list[list[int]] = [[] for _ in self.steps]
        for source, target in self.edges:
            lists[source].append(target)
        return tuple(map(tuple, lists))

    @cached_property
    def predecessors(self) -> tuple[tuple[int, ...], ...]:
        """By index: the steps whose outputs are this one's input, ascending."""
        lists: list[list[int]] = [[] for _ in self.steps]
        for source, target in self.edges:
            lists[target].append(source)
        return tuple(map(tuple, lists))

    @cached_property
    def thresholds(self) -> tuple[int, ...]:
        """By index: how many activations start the step. The start's is always 1, else no loop could run."""
        return (1, *(max(1, len(sources)) for sources in self.predecessors[1:]))

    @property
    def last(self) -> int:
        """The index of the end, whose output is the workflow's."""
        return len(self.steps) - 1 if self.part_end is None else self.part_end

    @property
    def own_steps(self) -> tuple[Step, ...]:
        """The steps that take part."""
        return self.steps if not self.part_name else self.steps[self.first : self.last + 1]

    @property
    def size(self) -> int:
        """How many steps take part."""
        return self.last - self.first + 1

    def part(self, index: int) -> Flow:
        """What runs for each item of step `index`, which is a task or a subflow.

        Of a task: that step alone. Of a subflow: all from its start, which is the part's start, to its
        end. The step's guard has been asked before, and it is not iterated again.
        """
        step = self.steps[index]
        alone = replace(step, iterate=False, merge=False, guard=None)
        name = f"{self.reference}/{index}"
        if step.kind is not StepKind.SUBFLOW:
            steps = _with(self.steps, alone)
            return replace(self, steps=steps, edges=(), first=index, part_end=index, part_name=name)
        steps = _with(self.steps, replace(alone, kind=StepKind.START, end=-1))
        steps = _with(steps, replace(steps[step.end], kind=StepKind.END))
        begin, end = bisect_left(self.edges, (index,)), bisect_left(self.edges, (step.end,))
        edges = self.edges[begin:end]
        return replace(self, steps=steps, edges=edges, first=index, part_end=step.end, part_name=name)

    @cached_property
    def reference(self) -> str:
        """What a workflow's record calls the flow: its digest, and behind it `/INDEX` for each `part`."""
        return self.part_name or self.digest

    def to_dict(self) -> dict[str, Json]:
        """The flow as plain data: `steps`, `edges`, and `name`, `doc`, `docs`, `parameters` where there are
        any."""
        with gc_paused():
            data: dict[str, Json] = {
                "steps": [step.to_dict() for step in self.steps],
                "edges": [list(edge) for edge in self.edges],
            }
        for key in ("name", "doc", "docs"):
            value = getattr(self, key)
            if value:
                data[key] = dict(value) if key == "docs" else value
        if self.parameters is not None:
            data["parameters"] = self.parameters
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Json]) -> Flow:
        """The flow that `to_dict` wrote. Raises KeyError, TypeError or ValueError on anything else."""
        with gc_paused():
            steps = tuple(Step.from_dict(step) for step in data["steps"])
            edges = tuple((source, target) for source, target in data["edges"])
        return cls(
            steps=steps,
            edges=edges,
            name=data.get("name", ""),
            doc=data.get("doc", ""),
            docs=data.get("docs", {}),
            parameters=data.get("parameters"),
        )

    @cached_property
    def canonical_json(self) -> str:
        """The one JSON text of this flow: keys sorted, no white space."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))

    @cached_property
    def digest(self) -> str:
        """What the flow is known by: the SHA-256 of its canonical JSON, in hexadecimal."""
        return hashlib.sha256(self.canonical_json.encode()).hexdigest()


def _with(steps: tuple[Step, ...], step: Step) -> tuple[Step, ...]:
    """The steps with this one in its place."""
    return (*steps[: step.index], step, *steps[step.index + 1 :])


@contextmanager
def gc_paused() -> Iterator[None]:
    """Disable Python's garbage collector within a block that allocates many objects and no cycles.

    The collector would scan all of them again and again, and free nothing. Threads may enter such blocks
    at the same time: the collector is enabled again when the first of them leaves its block.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
