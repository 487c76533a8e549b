"""What a batch changed: one MULTI/EXEC, all of it or nothing.

A commit stands on what `load` read on the same link under WATCH. It writes every workflow's `W`, so
of two processes that move the same workflow from the same state one is refused, and does it again
from what then stands there. Killed before EXEC, nothing has happened; killed after it, everything
has, together with the acknowledgement of the events that were the cause.

For one transition, in this order:
    HSET  W           counts; state, ended and reason if they change
    HSET  W:outputs   outputs of the steps that ended
    HSET, HDEL W:steps  progress of the steps that were touched
    XADD  W:history   the facts
    ZREM, ZADD workflows:state:...  if the state changes
    XADD  the stream  start-task and cancel-task events; end-workflow and its like
    ZADD, ZREM waits:...  deadlines, and starts that are delayed
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from lfr import events
from lfr.engine import Cancel, FactKind, Progress, Start, Transition
from lfr.flow import Flow, Step
from lfr.item_ids import is_item
from lfr.states import WorkflowState
from lfr.store import keys
from lfr.store.redis.connection import Command, Connection
from lfr.store.stream.entries import append_command
from lfr.store.workflows.attempt_timers import (
    deadline_command,
    deadline_member,
    delayed_start_commands,
    drop_deadline_commands,
    drop_delayed_start_commands,
)
from lfr.store.workflows.history import history_command
from lfr.store.workflows.load import LoadedWorkflow
from lfr.store.workflows.record import (
    change_state_commands,
    counts_fields,
    create_record_commands,
    reason_fields,
)
from lfr.tasks.step_options import NO_OPTIONS, invocation_of, parse_step_options
from lfr.values.json import Json, encode_json

_TOLD = {
    WorkflowState.FINISHED: events.END_WORKFLOW,
    WorkflowState.FAILED: events.FAILED_WORKFLOW,
    WorkflowState.TERMINATED: events.TERMINATED_WORKFLOW,
}
"""The event that tells that a workflow has come to a state."""


def commit(connection: Connection, commands: Sequence[Command]) -> bool:
    """Do all of it in one transaction; False if somebody else has moved one of the workflows watched."""
    return connection.transact(commands) is not None


def transition_commands(
    stream: str, workflow: LoadedWorkflow, transitions: Sequence[Transition], now_ms: int
) -> list[Command]:
    """The commands that write what `transitions` changed in a workflow.

    The transitions have been applied to `workflow.progress` in this order; its record still says how
    it was. `now_ms` is the time in milliseconds since the epoch, the same for everything.
    """
    if not transitions:
        return []
    id, was = workflow.record.id, workflow.record.state
    progress = workflow.progress
    commands = [_counts(workflow, transitions, now_ms)]
    commands += _outputs(id, transitions)
    commands += _steps(id, workflow.flow, transitions)
    commands += [history_command(id, now_ms, transition) for transition in transitions]
    if progress.state is not was:
        commands += change_state_commands(id, was, progress.state, workflow.record.started_ms)
    commands += _events(stream, id, workflow.flow, transitions, now_ms)
    return commands


def drop_out_of_band_commands(steps: Iterable[tuple[str, int]]) -> list[Command]:
    """The commands that drop outputs which have been taken in from beside the stream."""
    return [("DEL", keys.handed_over(*step)) for step in steps]


def create_workflow_commands(
    stream: str, workflow: str, flow: Flow, source: str, first: Transition, now_ms: int
) -> list[Command]:
    """The commands that begin a workflow: its record and the first transition. The flow is stored already.

    That an item begins is told by its parent's history alone.
    """
    progress = Progress()
    progress.apply(first)
    at = events.timestamp(now_ms / 1000)
    commands = create_record_commands(workflow, flow, source, progress, now_ms)
    if first.state is not WorkflowState.RUNNING:
        commands.append(("HSET", workflow, *_ending(first.state, first.reason, now_ms)))
    return [
        *commands,
        *_outputs(workflow, [first]),
        *_steps(workflow, flow, [first], existed=False),
        history_command(workflow, now_ms, first),
        *(
            []
            if is_item(workflow)
            else [append_command(stream, events.START_WORKFLOW, at, {"workflow": workflow})]
        ),
        *_events(stream, workflow, flow, [first], now_ms),
    ]


def _counts(workflow: LoadedWorkflow, transitions: Sequence[Transition], now_ms: int) -> Command:
    progress = workflow.progress
    fields: list[str | int] = [*counts_fields(progress)]
    was = workflow.record.state
    if progress.state is not was or (was is not WorkflowState.RUNNING and any(map(_turns, transitions))):
        failed = (transition for transition in transitions if transition.state is WorkflowState.FAILED)
        reason = next((transition.reason for transition in failed if transition.reason), "")
        fields += _ending(progress.state, reason, now_ms)
    return ("HSET", workflow.record.id, *fields)


def _ending(state: WorkflowState, reason: str, now_ms: int) -> list[str | int]:
    return ["state", state, "ended", now_ms if state.has_ended else 0, *reason_fields(reason)]


def _outputs(id: str, transitions: Iterable[Transition]) -> Iterator[Command]:
    changed: dict[int, Json] = {}
    for transition in transitions:
        changed.update(transition.outputs)
    if changed:
        fields: list[str | int] = []
        for index, value in changed.items():
            fields += (index, encode_json(value))
        yield ("HSET", keys.outputs(id), *fields)


def _steps(
    id: str, flow: Flow, transitions: Iterable[Transition], *, existed: bool = True
) -> Iterator[Command]:
    # A first attempt that is over leaves nothing behind, unless the step may start again: then the
    # number has to go on counting, or a late answer to this attempt would be taken for one to the next.
    least = 0 if flow.predecessors[0] else 1
    kept: list[str | int] = []
    gone: list[int] = []
    changed = {index: step for transition in transitions for index, step in transition.steps.items()}
    for index, step in changed.items():
        if step.waiting or step.active or step.attempt > least:
            retries = f" {step.retries}" if step.retries else ""
            kept += (index, f"{step.waiting} {step.active} {step.attempt}{retries}")
        else:
            gone.append(index)
    if kept:
        yield ("HSET", keys.steps(id), *kept)
    if gone and existed:
        yield ("HDEL", keys.steps(id), *gone)


def _events(
    stream: str,
    id: str,
    flow: Flow,
    transitions: Iterable[Transition],
    now_ms: int,
) -> list[Command]:
    at = events.timestamp(now_ms / 1000)
    told: list[Command] = []
    for transition in transitions:
        told += _over(stream, id, flow, transition, at)
        for start in transition.starts:
            told += _start(stream, id, flow.steps[start.index], start, now_ms)
        if transition.state in _TOLD and _turns(transition):
            told.append(append_command(stream, _TOLD[transition.state], at, {"workflow": id}))
    return told


def _turns(transition: Transition) -> bool:
    """Whether something happens to the workflow as a whole. Its state may be the same afterwards: who is
    restarted may fail again at once."""
    return any(fact.index is None for fact in transition.facts)


def _start(stream: str, id: str, step: Step, start: Start, now_ms: int) -> list[Command]:
    """A task starts: now, or after a while; and its time begins to run, if that is limited."""
    task = invocation_of(step)
    values = {
        "workflow": id,
        "name": task.name,
        "base": task.base,
        "index": start.index,
        "input": start.input,
        "parameters": task.parameters,
        "attempt": start.attempt,
    }
    timeout = _timeout(step)
    if start.delay:
        return delayed_start_commands(values, start.delay, timeout, now_ms)
    started = append_command(stream, events.START_TASK, events.timestamp(now_ms / 1000), values)
    return [started] if timeout is None else [started, deadline_command(values, timeout, now_ms)]


def _over(stream: str, id: str, flow: Flow, transition: Transition, at: str) -> list[Command]:
    """Attempts are over: those that were cancelled are told of, and what was to come for them is dropped."""
    over = {
        (fact.index, fact.attempt) for fact in transition.facts if fact.kind in _OVER and fact.item is None
    }
    over |= {(cancel.index, cancel.attempt) for cancel in transition.cancels}
    deadlines: list[str] = []
    delayed: list[tuple[int, int]] = []
    for index, attempt in over:
        if index is None:
            continue
        step = flow.steps[index]
        common = NO_OPTIONS if step.iterate else parse_step_options(step.parameters)
        if common.timeout is not None:
            task = invocation_of(step)
            deadlines.append(deadline_member(id, index, attempt, common.timeout, task.name, task.base))
        if common.retry is not None and attempt > 1:  # somebody may have ended it before it was made
            delayed.append((index, attempt))
    return [
        *drop_deadline_commands(deadlines),
        *drop_delayed_start_commands(id, delayed),
        *(_cancel(stream, id, flow, cancel, at) for cancel in transition.cancels),
    ]


_OVER = frozenset({FactKind.ENDED, FactKind.FAILED, FactKind.RETRIED})


def _cancel(stream: str, id: str, flow: Flow, cancel: Cancel, at: str) -> Command:
    task = invocation_of(flow.steps[cancel.index])
    place = {"workflow": id, "index": cancel.index, "attempt": cancel.attempt}
    return append_command(stream, events.CANCEL_TASK, at, {**place, "name": task.name, "base": task.base})


def _timeout(step: Step) -> float | None:
    return None if step.iterate else parse_step_options(step.parameters).timeout
