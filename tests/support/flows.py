"""Flows for tests, and an interpreter of them that is too simple to be wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from lfr.flow import Flow, Step, StepKind
from lfr.guard import parse_guard
from lfr.values.json import Json

GUARDS = ("$.yes", "$[?(@.n > 2)]", "$[*]")


def chain(*names: str) -> Flow:
    """Tasks one after the other."""
    return graph([Step(index, StepKind.TASK, name=name) for index, name in enumerate(names, 1)], [])


def fan(width: int) -> Flow:
    """One task, then `width` side by side, then one."""
    steps = [Step(index, StepKind.TASK, name=f"t{index}") for index in range(1, width + 3)]
    last = width + 2
    edges = [(1, index) for index in range(2, last)] + [(index, last) for index in range(2, last)]
    return graph(steps, edges)


def graph(inner: Sequence[Step], edges: Sequence[tuple[int, int]]) -> Flow:
    """A flow of these steps, numbered from 1; what has no predecessor follows the start, what has no
    successor leads to the end. Without edges: a chain."""
    last = len(inner) + 1
    inside = set(edges) or {(index, index + 1) for index in range(1, len(inner))}
    targets, sources = {target for _, target in inside}, {source for source, _ in inside}
    for step in inner:
        if step.index not in targets:
            inside.add((0, step.index))
        if step.index not in sources:
            inside.add((step.index, last))
    steps = (Step(0, StepKind.START), *inner, Step(last, StepKind.END))
    return Flow(steps, tuple(sorted(inside)))


@st.composite
def acyclic_flows(draw: Callable[[Any], Any]) -> Flow:
    """Flows of up to twelve tasks and literals, with edges from lower to higher indices, guards, merges."""
    count = draw(st.integers(1, 12))
    inner = []
    for index in range(1, count + 1):
        if draw(st.integers(0, 5)) == 0:
            inner.append(
                Step(index, StepKind.LITERAL, value=draw(st.sampled_from([{}, {"yes": 1}, [1], {"n": 5}])))
            )
        else:
            merge = draw(st.booleans())
            guard = draw(st.one_of(st.none(), st.sampled_from(GUARDS)))
            inner.append(Step(index, StepKind.TASK, name=f"t{index}", merge=merge, guard=guard))
    pairs = [(a, b) for a in range(1, count + 1) for b in range(a + 1, count + 1)]
    edges = draw(st.sets(st.sampled_from(pairs), max_size=20)) if pairs else set()
    return graph(inner, sorted(edges))


def do(step: Step, given: Json) -> Json:
    """What a task of these tests answers: who it is, whether it was given anything, and its number."""
    return {f"t{step.index}": step.index, "n": step.index, **({"yes": 1} if given else {})}


def interpret(flow: Flow, input: Json) -> tuple[dict[int, Json], set[int]]:
    """The outputs of an acyclic flow and the steps that were skipped, straight from the definition:
    in the order of the indices, every step runs once, after all its predecessors."""
    outputs: dict[int, Json] = {}
    skipped: set[int] = set()
    for step in flow.steps:
        before = [outputs[source] for source, target in flow.edges if target == step.index]
        if step.index == 0:
            before = [input]
        kept = [output for output in before if output != {}]
        given = {} if not kept else kept[0] if len(kept) == 1 else kept
        if step.merge and isinstance(given, list):
            given = {key: value for member in flat(given) for key, value in member.items()}
        if step.kind is StepKind.LITERAL:
            outputs[step.index] = step.value
        elif step.guard is not None and not parse_guard(step.guard).holds(given):
            outputs[step.index] = given
            skipped.add(step.index)
        else:
            outputs[step.index] = do(step, given) if step.kind is StepKind.TASK else given
    return outputs, skipped


def flat(members: list[Json]) -> list[dict[str, Json]]:
    """The objects in a list, lists in it taken apart. Raises TypeError for anything else."""
    objects: list[dict[str, Json]] = []
    for member in members:
        if isinstance(member, dict):
            objects.append(member)
        elif isinstance(member, list):
            objects += flat(member)
        else:
            raise TypeError(member)
    return objects
