"""Adds inputs and outputs to the descriptions of a workflow and of its steps, up to a number of bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from lfr.engine.advance import gather_input
from lfr.engine.step_inputs import InputError
from lfr.flow import WORKFLOW_INPUT, Flow
from lfr.operations.workflow_ids import parse_workflow_id
from lfr.states import StepState, WorkflowState
from lfr.store.redis.connection import Connection, Store
from lfr.store.workflows.queries import load_outputs_up_to
from lfr.store.workflows.record import Record
from lfr.store.workflows.sizes import measure_description
from lfr.values.json import Json

MAX_OUTPUT_BYTES: Final = 64 * 2**20
"""How many bytes of outputs of steps the description of a workflow has, beside its input and its output."""

MAX_INPUT_BYTES: Final = 64 * 2**20
"""How many bytes of inputs of steps it has: a big output stands in it once for itself, and once for each step
that gets it."""


def add_workflow_values(
    connection: Connection,
    record: Record,
    flow: Flow,
    workflow: dict[str, Any],
    steps: Sequence[dict[str, Any]],
) -> None:
    """Add input and output to `workflow` and to each of `steps`; to steps also `omitted`, see
    `inspect_workflow`."""
    has_output = record.state is WorkflowState.FINISHED
    always = (WORKFLOW_INPUT, flow.last) if has_output else (WORKFLOW_INPUT,)
    outputs, sizes = load_outputs_up_to(connection, record.id, MAX_OUTPUT_BYTES, always)
    workflow["input"] = outputs.get(WORKFLOW_INPUT, {})
    workflow["output"] = outputs.get(flow.last, {}) if has_output else None
    missing = sizes.keys() - outputs.keys()
    remaining = MAX_INPUT_BYTES
    for step in steps:
        size = _input_size(step, flow, sizes)
        sources = flow.input_sources[step["index"]]
        omits_input = size > remaining or (size > 0 and not missing.isdisjoint(sources))
        remaining -= 0 if omits_input else size
        add_step_values(step, flow, outputs, omits_input=omits_input, omits_output=step["index"] in missing)


def add_step_values(
    step: dict[str, Any],
    flow: Flow,
    outputs: Mapping[int, Json],
    *,
    omits_input: bool = False,
    omits_output: bool = False,
) -> None:
    """Add input and output to the description of a step, both None if it has none yet."""
    step["input"] = step["output"] = None
    if step["state"] == StepState.PENDING:
        return
    has_output = step["state"] in (StepState.DONE, StepState.SKIPPED)
    omitted = [*["input"] * omits_input, *["output"] * (omits_output and has_output)]
    if omitted:
        step["omitted"] = omitted
    if not omits_input:
        with suppress(InputError):  # the step failed for this reason, and `reason` says so
            step["input"] = gather_input(flow, lambda source: outputs.get(source, {}), step["index"])
    if has_output and not omits_output:
        step["output"] = outputs.get(step["index"], {})


def _input_size(step: Mapping[str, Any], flow: Flow, sizes: Mapping[int, int]) -> int:
    """Return about how many bytes the input of a step has, by those of the outputs; 0: it has none yet."""
    if step["state"] == StepState.PENDING:
        return 0
    return sum(sizes.get(source, 0) for source in flow.input_sources[step["index"]])


def description_bytes(store: Store, id: str, *, values: bool) -> int | None:
    """Return about how many bytes `inspect_workflow` reads for a workflow, with or without `values`; None if
    Redis does not permit to ask. Raises BadInput for the id."""
    with store.connect() as connection:
        return measure_description(connection, parse_workflow_id(id), values=values)
