"""Makes flows for tests, and interprets them so simply that the interpreter cannot be wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from lfr.flow import Flow, Step, StepKind
from lfr.guard import parse_guard
from lfr.values.json import Json

GUARDS = ("$.yes", "$[?(@.n > 2)]", "$[*]")


def chain(*names: str) -> Flow:
    """Return a flow of tasks one after the other."""
    return graph([Step(index, StepKind.TASK, name=name) for index, name in enumerate(names, 1)], [])


def fan(width: int) -> Flow:
    """Return a flow of one task, then `width` tasks side by side, then one."""
    steps = [Step(index, StepKind.TASK, name=f"t{index}") for index in range(1, width + 3)]
    last = width + 2
    edges = [(1, index) for index in range(2, last)] + [(index, last) for index in range(2, last)]
    return graph(steps, edges)


def graph(inner: Sequence[Step], edges: Sequence[tuple[int, int]]) -> Flow:
    """Return a flow of these steps, numbered from 1. A step without a predecessor follows the start, one
    without a successor leads to the end. Without edges the steps are a chain."""
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
    """Draw flows of up to twelve tasks and literals with guards, merges and edges to higher indices."""
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


def do(step: Step, input: Json) -> Json:
    """Return the output of a task of these tests: its name, its number, whether its input is not empty."""
    return {f"t{step.index}": step.index, "n": step.index, **({"yes": 1} if input else {})}


def interpret(flow: Flow, input: Json) -> tuple[dict[int, Json], set[int]]:
    """Return the outputs of an acyclic flow and its skipped steps, straight from the definition: in the order
    of the indices, every step runs once, after all its predecessors."""
    outputs: dict[int, Json] = {}
    skipped: set[int] = set()
    for step in flow.steps:
        inputs = [outputs[source] for source, target in flow.edges if target == step.index]
        if step.index == 0:
            inputs = [input]
        full = [each for each in inputs if each != {}]
        step_input = {} if not full else full[0] if len(full) == 1 else full
        if step.merge and isinstance(step_input, list):
            step_input = {key: value for member in flat(step_input) for key, value in member.items()}
        if step.kind is StepKind.LITERAL:
            outputs[step.index] = step.value
        elif step.guard is not None and not parse_guard(step.guard).holds(step_input):
            outputs[step.index] = step_input
            skipped.add(step.index)
        else:
            outputs[step.index] = do(step, step_input) if step.kind is StepKind.TASK else step_input
    return outputs, skipped


def flat(members: list[Json]) -> list[dict[str, Json]]:
    """Return the objects in a list and in the lists inside it. Raises TypeError for any other value."""
    objects: list[dict[str, Json]] = []
    for member in members:
        if isinstance(member, dict):
            objects.append(member)
        elif isinstance(member, list):
            objects += flat(member)
        else:
            raise TypeError(member)
    return objects
