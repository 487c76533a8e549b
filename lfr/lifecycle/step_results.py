"""Turns the end-tasks of a batch into results for the engine, once their workflows have been loaded."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from lfr import events
from lfr.engine.transition import StepResult
from lfr.item_ids import is_item
from lfr.lifecycle.batch_events import BatchEvents
from lfr.lifecycle.large_outputs import LargeOutputs
from lfr.store import keys
from lfr.store.stream.entries import Entry
from lfr.store.workflows.attempt_status import is_of_run
from lfr.store.workflows.load import LoadedWorkflow
from lfr.store.workflows.record import Record
from lfr.tasks.catalogue import REQUEST_PREFIX
from lfr.values.json import InvalidJson, decode_json


@dataclass(slots=True)
class ResolvedResults:
    """The results of a batch, after a check against the workflows that were loaded.

    results       the results for the engine, by workflow
    orphans       events whose workflow or step does not exist, with the reason
    used_outputs  workflow and index of the out-of-band outputs that are to be deleted
    """

    results: dict[str, list[StepResult]] = field(default_factory=lambda: defaultdict(list))
    orphans: list[tuple[Entry, str]] = field(default_factory=list)
    used_outputs: set[tuple[str, int]] = field(default_factory=set)


def resolve_results(
    batch_events: BatchEvents,
    loaded: Mapping[str, LoadedWorkflow],
    outputs: Mapping[tuple[str, int], bytes],
    large_outputs: LargeOutputs,
) -> ResolvedResults:
    """Return the results for the engine, and the events that concern no existing step. Leave out those of an
    earlier workflow with the same id. `outputs` are the out-of-band outputs, as JSON; `large_outputs` are
    those to which end-tasks refer."""
    resolved = ResolvedResults()
    for id, results in batch_events.results.items():
        workflow = loaded.get(id)
        for entry, task in results:
            step = (id, task.index)
            if workflow is None:
                resolved.used_outputs.add(step)  # its worker may have written it when the workflow was gone
                if not is_item(id):  # an item that is done has been deleted: the event is a duplicate
                    resolved.orphans.append((entry, f"there is no workflow {id}"))
            elif not _is_of_run(workflow.record, entry, task):
                continue
            elif task.index >= len(workflow.flow.steps):
                resolved.orphans.append((entry, f"{id} has no step {task.index}"))
            elif entry.stream != keys.ENDS and workflow.flow.steps[task.index].has_children:
                resolved.orphans.append((entry, f"step {task.index} of {id} ends with its children"))
            elif task.output_from is not None:
                result = large_outputs.result(workflow, task, task.output_from)
                result.entry_id, result.actor = entry.id, task.actor
                resolved.results[id].append(result)
            else:
                encoded = entry.fields[b"output"] if task.has_output else outputs.get(step)
                result = _step_result(task, encoded)
                result.entry_id, result.actor = entry.id, task.actor
                result.is_simulated = task.is_simulated
                if encoded is not None and result.failure is None:
                    workflow.texts.add(result.output, encoded)
                resolved.results[id].append(result)
                if _uses_output(workflow, task, step in outputs):
                    resolved.used_outputs.add(step)
    return resolved


def _is_of_run(record: Record, entry: Entry, task: events.EndTask) -> bool:
    """Return whether an end-task concerns this workflow, not an earlier one with its id."""
    # In a workflow without a run all end-tasks are without one. If the clock has gone back, those on ENDS may
    # be older than the workflow; on the bus, which had its start, they are not.
    entry_id = "" if entry.stream == keys.ENDS and not record.run else entry.id
    return is_of_run(task.run, entry_id, run=record.run, started_ms=record.started_ms)


def _uses_output(workflow: LoadedWorkflow, task: events.EndTask, has_output: bool) -> bool:
    """Return whether to delete the out-of-band output of a step: this result uses it, or the remote end of a
    request sends the output itself. The output of a later attempt stays."""
    progress = workflow.progress.step(task.index)
    if progress is not None and task.attempt not in (None, progress.attempt):
        return False
    step = workflow.flow.steps[task.index]
    return has_output or (step.base or step.name).startswith(REQUEST_PREFIX)


def _step_result(task: events.EndTask, encoded: bytes | None) -> StepResult:
    """Return the result for the engine; `encoded` is its output as JSON, from the event or out of band."""
    if task.status is events.Status.FAILURE:
        reason = task.reason or "the worker gave no reason"
        chance = random.random()
        return StepResult(task.index, None, reason, task.attempt, chance, is_final=task.is_final)
    output = task.output if task.has_output else {}
    if not task.has_output and encoded is not None:
        try:
            output = decode_json(encoded)
        except InvalidJson:
            return StepResult(task.index, failure="the output that its worker wrote is not JSON")
    return StepResult(task.index, output, attempt=task.attempt)
