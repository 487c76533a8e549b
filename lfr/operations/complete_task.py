"""Complete a task by hand, in place of its worker."""

from __future__ import annotations

import time
from collections.abc import Mapping

from lfr import events
from lfr.errors import BadInput, NotFound
from lfr.flow import StepKind
from lfr.operations.workflow_ids import parse_workflow_id
from lfr.store.redis.connection import Store
from lfr.store.stream.entries import append_command
from lfr.store.workflows.load import FlowCache
from lfr.store.workflows.queries import load_flow, load_records, load_step
from lfr.tasks.catalogue import WAIT_PREFIX
from lfr.values.json import Json


def complete_task(
    store: Store,
    id: str,
    name: str | None,
    index: int,
    *,
    attempt: int | None = None,
    status: str = events.Status.SUCCESS,
    reason: str | None = None,
    output: Json = None,
) -> str:
    """Say that the task of a step has ended, in its worker's place; the event's id on the stream.

    `name` is the task's name as in the flow, so that a slip in the index ends nothing; `attempt` likewise,
    for one that is over. Raises BadInput and NotFound.
    """
    id = parse_workflow_id(id)
    if status not in tuple(events.Status):
        raise BadInput(f"the status {status!r} is neither SUCCESS nor FAILURE")
    if attempt is not None and (type(attempt) is not int or attempt < 1):
        raise BadInput("the attempt must be a whole number from 1")
    with store.connect() as connection:
        workflow = load_records(connection, [id])[0]
        flow = load_flow(connection, FlowCache(), id)
        if workflow is None or flow is None:
            raise NotFound(f"there is no workflow {id}")
        latest = load_step(connection, workflow, index).steps[index].attempt
    tasks = {step.index: step for step in flow.own_steps if step.kind is StepKind.TASK}
    if index not in tasks:
        raise NotFound(f"{id} has no task at index {index}", hint="lfr inspect shows the indices")
    if name not in (None, tasks[index].name, tasks[index].base):
        raise BadInput(f"step {index} of {id} is {tasks[index].name}, not {name}")
    if tasks[index].iterate:
        raise BadInput(f"step {index} of {id} is iterated", hint="end the tasks of its items")
    base, named = tasks[index].base or tasks[index].name, name or tasks[index].name
    if base.startswith(WAIT_PREFIX):
        attempt = attempt or latest
    told = {"attempt": attempt, "reason": reason, "output": output}
    values: dict[str, Json] = {"workflow": id, "name": named, "index": index}
    values |= {"status": status} | {key: value for key, value in told.items() if value is not None}
    return _append_end(store, values, base)


def _append_end(store: Store, values: Mapping[str, Json], base: str) -> str:
    """Append an end-task. Where a wait is ended, the wait role is to hear of it: else the wait would stay,
    and the event that it waits for would be taken by it."""
    at = events.timestamp(time.time())
    commands = [append_command(store.stream, events.END_TASK, at, values)]
    if base.startswith(WAIT_PREFIX):
        over = {name: values[name] for name in ("workflow", "name", "index", "attempt")}
        commands.append(append_command(store.stream, events.CANCEL_TASK, at, {**over, "base": base}))
    with store.connect() as connection:
        replies = connection.transact(commands)
    assert replies is not None  # nothing is watched
    return str(replies[0].decode())
