"""The items of iterated steps in Redis: their inputs until they begin, their outputs, and how far they are.

Everything is read under the watch of the parent, and written in one transaction with the parent's record. The
workflow of an item that has succeeded is deleted: its output is stored with the parent, and the parent's
history tells when it ran (`lfr.operations.inspect.finished_item` describes it from that). The workflow of an
item that has failed stays, because a restart continues it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lfr.engine.advance import begin
from lfr.engine.items import ItemCounts, ItemResult
from lfr.engine.pauses import Hold
from lfr.flow import Flow, StepKind
from lfr.item_ids import ItemId, parse_item_id
from lfr.states import WorkflowState
from lfr.store import keys
from lfr.store.queues.routes import Routes
from lfr.store.redis.connection import Command, Connection
from lfr.store.stream.entries import flatten_pairs
from lfr.store.workflows.commit import create_workflow_commands
from lfr.store.workflows.flow_cache import FlowCache
from lfr.store.workflows.record import RECORD_FIELDS, parse_record
from lfr.values.json import Json, decode_json, encode_json
from lfr.values.work import LookBudget


class ItemsMissing(Exception):
    """Inputs or outputs of items are not there: another client has changed the items meanwhile."""


def load_item_counts(connection: Connection, workflow: str, indices: Sequence[int]) -> dict[int, ItemCounts]:
    """Return how far the items of these steps are, by index, without steps that have no items. (HMGET)"""
    fields = ("total", "begun", "done", "round")
    replies = connection.execute([("HMGET", keys.items(workflow, index), *fields) for index in indices])
    return {
        index: ItemCounts(*map(int, reply))
        for index, reply in zip(indices, replies, strict=True)
        if reply[0] is not None
    }


def load_outer_counts(connection: Connection, workflow: str) -> list[int]:
    """Return how many items run of each iterated step around this workflow, from the outermost on: none if it
    is no item itself. (HMGET)"""
    commands: list[Command] = []
    while (item := parse_item_id(workflow)) is not None:
        commands.append(("HMGET", keys.items(item.parent, item.index), "begun", "done"))
        workflow = item.parent
    replies = connection.execute(commands) if commands else []
    return [int(begun or 0) - int(done or 0) for begun, done in reversed(replies)]


def load_item_results(
    connection: Connection, items: Iterable[ItemId], last_steps: Mapping[int, int]
) -> list[ItemResult]:
    """Return the results of the items that have finished or failed, each once, in this order. (HMGET, HGET)

    Items that run, were terminated or have been deleted are left out.
    `last_steps` holds, by iterated step, the index of the step whose output is the output of an item.
    """
    distinct = list(dict.fromkeys(items))
    commands: list[Command] = [("HMGET", str(item), *RECORD_FIELDS) for item in distinct]
    commands += [("HGET", keys.outputs(str(item)), last_steps[item.index]) for item in distinct]
    replies = connection.execute(commands, keep_errors=True)
    results: list[ItemResult] = []
    for item, record_reply, output in zip(distinct, replies, replies[len(distinct) :], strict=False):
        record = parse_record(str(item), record_reply)
        if record is not None and record.state is WorkflowState.FINISHED:
            results.append(ItemResult(item, output or b"{}", is_simulated=bool(record.simulated)))
        elif record is not None and record.state is WorkflowState.FAILED:
            results.append(ItemResult(item, failure=record.reason, is_simulated=bool(record.simulated)))
    return results


def load_item_inputs(connection: Connection, workflow: str, index: int, numbers: Sequence[int]) -> list[Json]:
    """Return the inputs of items that have not begun, in this order. Raises ItemsMissing. (HMGET)"""
    if not numbers:
        return []
    inputs = connection.call("HMGET", keys.items(workflow, index), *(f"i{number}" for number in numbers))
    if None in inputs:
        raise ItemsMissing(f"items of step {index} of {workflow}")
    return [decode_json(input) for input in inputs]


def load_item_outputs(
    connection: Connection, workflow: str, index: int, total: int, new_outputs: Mapping[int, bytes]
) -> list[Json]:
    """Return the outputs of all `total` items in their order. Raises ItemsMissing. (HMGET)

    `new_outputs` holds those that are not written yet, as JSON, by number.
    """
    stored = connection.call("HMGET", keys.items(workflow, index), *(f"o{number}" for number in range(total)))
    outputs = [new_outputs.get(number, output) for number, output in enumerate(stored)]
    if None in outputs:
        raise ItemsMissing(f"outputs of step {index} of {workflow}")
    return [decode_json(output) for output in outputs]


def load_item_output(connection: Connection, workflow: str, index: int, number: int) -> Json:
    """Return the output of an item that has succeeded, while others run; None: it is not there. (HGET)"""
    output = connection.call("HGET", keys.items(workflow, index), f"o{number}")
    return None if output is None else decode_json(output)


def load_open_items(connection: Connection, workflow: str, index: int, counts: ItemCounts) -> list[ItemId]:
    """Return the items that have begun and not succeeded: they run, failed or were terminated. (HKEYS)"""
    fields = set(connection.call("HKEYS", keys.items(workflow, index)))
    numbers = (number for number in range(counts.begun) if b"o%d" % number not in fields)
    return [ItemId(workflow, index, number, counts.round) for number in numbers]


def load_open_children(connection: Connection, flows: FlowCache, id: str) -> list[ItemId]:
    """Return the children of a workflow that are stored: they run, failed or were terminated; of one that
    is not stored, none. (HGET, GET, HMGET, HKEYS)"""
    data = connection.execute([("HGET", id, "flow")], keep_errors=True)[0]
    reference = data.decode() if isinstance(data, bytes) else ""
    flow = flows.fetch(connection, [reference]).get(reference) if reference else None
    if flow is None:
        return []
    counts_of = load_item_counts(connection, id, flow.steps_with_children)
    return [
        child
        for index, counts in counts_of.items()
        for child in load_open_items(connection, id, index, counts)
    ]


def load_child_flow(connection: Connection, flows: FlowCache, flow: Flow, child: ItemId) -> Flow | None:
    """Return the flow of a child of a workflow that runs `flow`: for an item, its part of that; for the child
    of a call, the flow in its record, None if it has no record. (HGET, GET)"""
    if flow.steps[child.index].iterate:
        return flows.part(flow, child.index)
    data = connection.call("HGET", str(child), "flow")
    reference = "" if data is None else data.decode()
    return flows.fetch(connection, [reference]).get(reference) if reference else None


def new_items_commands(workflow: str, index: int, inputs: Sequence[Json]) -> list[Command]:
    """Return the commands that store the inputs of items until they begin. (HSET)"""
    fields = flatten_pairs((f"i{number}", encode_json(input)) for number, input in enumerate(inputs))
    return [("HSET", keys.items(workflow, index), *fields)] if fields else []


def item_counts_command(workflow: str, index: int, counts: ItemCounts) -> Command:
    """Return the command that stores how far the items of a step are. (HSET)"""
    fields = ("total", counts.total, "begun", counts.begun, "done", counts.done, "round", counts.round)
    return ("HSET", keys.items(workflow, index), *fields)


def begin_items_commands(
    routes: Routes,
    part: Flow,
    items: Sequence[ItemId],
    inputs: Sequence[Json],
    run: str,
    traceparent: str,
    shared: LookBudget,
    hold: Hold | None,
) -> list[Command]:
    """Return the commands that begin a workflow for each of these items of one step, with its input, and
    delete the stored inputs. `part` is the part of the flow that runs for an item; `run` and
    `traceparent`: see Record; `shared` is the budget of all of them together; `hold` what may hold back their
    steps."""
    commands: list[Command] = []
    for item, input in zip(items, inputs, strict=True):
        first = begin(part, input, LookBudget(shared=shared))
        commands += create_workflow_commands(
            routes, str(item), part, "", first, run=run, hold=hold, traceparent=traceparent
        )
    if items:
        fields = (f"i{item.number}" for item in items)
        commands.append(("HDEL", keys.items(items[0].parent, items[0].index), *fields))
    return commands


def collect_output_commands(part: Flow, result: ItemResult) -> list[Command]:
    """Return the commands that store the output of an item that has succeeded with its parent, and delete the
    item's workflow. `part` is the part of the flow that has run for it. (HSET, DEL)"""
    item, id = result.id, str(result.id)
    return [
        ("HSET", keys.items(item.parent, item.index), f"o{item.number}", result.output.decode()),
        delete_finished_command(id, part),
    ]


def delete_finished_command(id: str, flow: Flow) -> Command:
    """Return the command that deletes a child that has succeeded and has no children any more. `flow` is the
    one that it has run. (DEL)"""
    calls = [keys.items(id, index) for index in flow.steps_with_children] if flow.has_calls else []
    return ("DEL", *keys.whole_data(id), *out_of_band_keys(id, flow), *calls)


def out_of_band_keys(id: str, flow: Flow) -> list[str]:
    """Return the keys under which the workers of a workflow's tasks may have written their outputs."""
    tasks = (step.index for step in flow.own_steps if step.kind is StepKind.TASK)
    return [keys.out_of_band_output(id, index) for index in tasks]


def delete_items_command(workflow: str, index: int) -> Command:
    """Return the command that deletes inputs, outputs and counts of a step's items, not their workflows."""
    return ("DEL", keys.items(workflow, index))
