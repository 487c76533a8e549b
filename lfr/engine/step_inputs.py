"""Values between steps: what an output may be, and what a starting step is given."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from lfr.errors import BadInput
from lfr.flow import Flow, StepKind
from lfr.values.json import InvalidJson, Json, decode_json, encode_json

WORKFLOW_INPUT = -1
"""The index under which the workflow's own input stands among the outputs."""


class InputError(ValueError):
    """What comes before a step makes no input: `>` cannot merge it, or it is too big. The text says why."""


def normalize_input(input: Json) -> Json:
    """Return the input of a workflow as JSON data; None becomes `{}`.

    Raises BadInput unless the input is an object or a list of JSON values.
    """
    value = {} if input is None else input
    if not isinstance(value, dict | list):
        raise BadInput(f"the input is {str(value)[:40]}", hint="it must be an object or a list")
    try:
        return decode_json(encode_json(value).encode())
    except InvalidJson as error:
        raise BadInput(f"the input cannot be written as JSON: {error}") from None


def normalize_output(value: Json) -> Json:
    """What a task handed over, as an output: nothing is `{}`, a scalar is a list of one."""
    if value is None:
        return {}
    if isinstance(value, dict | list):
        return value
    return [value]


def input_sources(flow: Flow, index: int) -> tuple[int, ...]:
    """The indices of the outputs that make the input of a step.

    None for a literal and for a resource that is loaded: they ignore what comes before them.
    """
    if index == flow.first:
        return (WORKFLOW_INPUT,)
    step = flow.steps[index]
    if step.kind is StepKind.LITERAL or (step.kind is StepKind.RESOURCE and not step.sink):
        return ()
    return flow.predecessors[index]


def gather_input(flow: Flow, output: Callable[[int], Json], index: int) -> Json:
    """The input of a step: its predecessors' outputs by ascending index, without those that are `{}`.

    None left: `{}`; one left: that one as it is; more: the list of them. With `>` on the step, a list
    becomes one object. `output` gives the output of a step, or None if it has none yet, which counts as
    `{}`. Raises NoInput.
    """
    values = [
        value
        for source in input_sources(flow, index)
        if (value := output(source)) is not None and value != {}
    ]
    gathered: Json = values if len(values) > 1 else values[0] if values else {}
    return merge(gathered) if flow.steps[index].merge and isinstance(gathered, list) else gathered


def merge(members: Iterable[Json]) -> dict[str, Json]:
    """One object from a list of objects: later members win, key by key at the top level.

    A list among the members is merged in its place. Raises NoInput for anything else.
    """
    merged: dict[str, Json] = {}
    stack = [iter(members)]  # not recursive: a worker may answer with lists in lists of any depth
    while stack:
        for member in stack[-1]:
            if isinstance(member, dict):
                merged.update(member)
            elif isinstance(member, list):
                stack.append(iter(member))
                break
            else:
                raise InputError(f"cannot merge {_short(member)}: only objects can be merged")
        else:
            stack.pop()
    return merged


def _short(value: Json) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:39] + "…"
