"""Completes a task by hand, in place of its worker."""

from __future__ import annotations

import time
from collections.abc import Mapping

from lfr import events
from lfr.engine.step_inputs import normalize_value
from lfr.engine.transition import StepProgress
from lfr.errors import BadInput, Conflict, NotFound
from lfr.flow import Flow, Step, StepKind
from lfr.operations.inspect.workflow import require_flow, require_record
from lfr.operations.workflow_ids import parse_workflow_id
from lfr.store import keys
from lfr.store.queues.claims import read_claims
from lfr.store.queues.routes import Routes
from lfr.store.redis.connection import Store
from lfr.store.stream.entries import append_command
from lfr.store.workflows.queries import load_step
from lfr.store.workflows.record import Record
from lfr.store.workflows.start_events import forget_start_commands
from lfr.tasks.catalogue import WAIT_PREFIX
from lfr.values.checks import read_whole_number
from lfr.values.json import ABSENT, Json
from lfr.values.times import format_timestamp


def complete_task(
    store: Store,
    id: str,
    name: str | None,
    index: int,
    *,
    attempt: int | None = None,
    run: str | None = None,
    status: str = events.Status.SUCCESS,
    reason: str | None = None,
    output: Json = ABSENT,
) -> str:
    """Send the end-task event of a step in place of its worker; return the id of the event.

    `name`, the task's name or the task behind its alias, protects against a wrong index, and `attempt`
    against completing a later attempt; without it (None), the attempt that runs now is completed. `run` as
    in the start-task protects against completing a task of a later workflow with the same id. Without a
    `reason` (None) or an `output` (ABSENT), the event has none. A wait: task is cancelled, too. Raises
    BadInput, also for an iterated step or a call; NotFound; and Conflict if the task, or this attempt of it,
    does not run. It may end before the event is processed: then the event changes nothing.
    """
    id = parse_workflow_id(id)
    if status not in tuple(events.Status):
        raise BadInput(f"the status {status!r} is neither SUCCESS nor FAILURE")
    if output is not ABSENT:
        output = normalize_value("the output", output)
    if attempt is not None:
        attempt = read_whole_number(attempt)
        if attempt is None or attempt < 1:
            raise BadInput("the attempt must be a whole number from 1")
    with store.connect() as connection:
        record = require_record(connection, id)
        flow = require_flow(connection, id)
        progress = load_step(connection, record, index).steps[index]
    step = _step_with_task(flow, id, index, name)
    _check_runs(record, index, progress, attempt, run)
    optional = {"run": record.run or None, "reason": reason}
    values: dict[str, Json] = {
        "workflow": id,
        "name": name or step.name,
        "index": index,
        "attempt": progress.attempt,
        "status": status,
        **{field: value for field, value in optional.items() if value is not None},
        **({} if output is ABSENT else {"output": output}),
        **events.actor_values(store.actor),
    }
    return _send_end_task(store, values, step.base or step.name, (id, index, progress.attempt, record.run))


def _step_with_task(flow: Flow, id: str, index: int, name: str | None) -> Step:
    """Return the step of which a worker ends the task. Raises NotFound and BadInput if there is none."""
    step = next((step for step in flow.own_steps if step.index == index and step.kind is StepKind.TASK), None)
    if step is None:
        raise NotFound(f"{id} has no task at index {index}", hint="lfr inspect shows the indices")
    if name not in (None, step.name, step.base):
        raise BadInput(f"step {index} of {id} is {step.name}, not {name}")
    if step.iterate:
        raise BadInput(f"step {index} of {id} is iterated", hint="end the tasks of its items")
    if step.is_call:
        hint = f"lfr skip {id} {index} gives it an output; or end the tasks of its child"
        raise BadInput(f"step {index} of {id} ends with the flow that it calls", hint=hint)
    return step


def _check_runs(
    record: Record, index: int, progress: StepProgress, attempt: int | None, run: str | None
) -> None:
    """Raise Conflict if a step does not run, or not this attempt of it in this run."""
    id = record.id
    if not progress.active:
        hint = f"lfr restart {id} starts it again" if progress.waiting and record.state.has_ended else ""
        message = f"step {index} of {id} does not run, so it cannot end"
        raise Conflict(f"{message}: the workflow is {record.state}", hint=hint)
    if attempt not in (None, progress.attempt):
        raise Conflict(f"attempt {attempt} of step {index} of {id} is over: it is attempt {progress.attempt}")
    if run not in (None, record.run):
        raise Conflict(f"the workflow with this task was deleted, and {id} is another one")


def _send_end_task(store: Store, values: Mapping[str, Json], base: str, attempt_id: events.AttemptId) -> str:
    """Send an end-task event. For a wait: task, also send cancel-task, so that the wait role drops the wait;
    otherwise the wait would stay and claim the event that it waits for. Workers check what is in their queue,
    so that they do not begin the task; and what a pause has held back, or a delay, does not start."""
    at = format_timestamp(time.time())
    commands = [append_command(keys.ENDS, events.END_TASK, at, values), *forget_start_commands([attempt_id])]
    if base.startswith(WAIT_PREFIX):
        names = ("workflow", "name", "index", "attempt", "run")
        attempt = {name: values[name] for name in names if name in values}
        commands.append(append_command(store.stream, events.CANCEL_TASK, at, {**attempt, "base": base}))
    with store.connect() as connection:
        commands += Routes(0, store.stream, read_claims(connection)).stale_commands([base])
        replies = connection.transact(commands)
    assert replies is not None  # no key is watched
    return str(replies[0].decode())
