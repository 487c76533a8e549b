"""The commands of a commit: all that transitions change in workflows, for one MULTI/EXEC.

A commit counts on what `load` has read on the same connection under WATCH. It writes the hash `W` of every
workflow. So if two processes advance one workflow from the same state, one of them is refused, and does it
again from the new state. A process killed before EXEC has changed nothing; one killed after it has changed
everything, and has acknowledged the events that were the cause.

For each workflow, in this order:
    HSET  W           counts; state, end, failed step and reason if they change; HDEL for those that it no
                      longer has
    HINCRBY W         how many results were simulated, if some are
    HSET  W:outputs   outputs of the steps that ended
    HSET, HDEL W:steps  progress of the steps that changed
    HSET, HDEL W:large  large inputs of attempts that start; those that no attempt uses any more
    HSET  W:latched   0 for steps that have ended and that acquire or release a latch; `stopped`
    RPUSH W:facts     elements of the history for each transition
    ZREM, ZADD workflows:state:...  if the state changes
    ZADD, ZREM waits:workflows  the deadline of the workflow, if its flow has a timeout and the state changes
    ZREM, DEL waits:...  deadlines and delayed starts of attempts that are over, and their places in indexes
    XADD  a queue, the bus, `workflows:ends`  start-task and cancel-task events, and the event that tells the
          new state; on which stream they go is decided by `lfr.store.queues.routes`
    SET, ZADD waits:...  new deadlines and delayed starts
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from lfr import events
from lfr.actor import Actor
from lfr.engine.pauses import Hold, hold_starts
from lfr.engine.transition import Attempt, Fact, FactKind, Progress, Start, Transition
from lfr.flow import Flow
from lfr.item_ids import is_item
from lfr.schedules.start_ids import schedule_of_id
from lfr.states import WorkflowState
from lfr.step_options import is_for_lifecycles
from lfr.store import keys
from lfr.store.queues.pauses import forget_commands
from lfr.store.queues.routes import Routes
from lfr.store.redis.connection import Command
from lfr.store.stream.entries import append_command, flatten_pairs
from lfr.store.stream.groups import note_stream_command
from lfr.store.workflows.history import format_elements
from lfr.store.workflows.large_values import LargeValues
from lfr.store.workflows.load import LoadedWorkflow
from lfr.store.workflows.record import (
    NO_LABELS,
    STATE_DETAILS,
    failed_step_of,
    flow_fields,
    format_counts,
    state_fields,
)
from lfr.store.workflows.search_indexes import index_commands
from lfr.store.workflows.start_events import (
    deadline_member,
    delayed_start_commands,
    forget_start_commands,
    held_start_commands,
    start_task_commands,
)
from lfr.store.workflows.workflow_deadlines import deadline_commands
from lfr.tasks.catalogue import ACQUIRE, RELEASE
from lfr.trace_context import TraceContext
from lfr.values.json import (
    Json,
    JsonTexts,
)
from lfr.values.times import format_timestamp

Change = TypeVar("Change")


_COUNTED_TASKS: Final = frozenset({ACQUIRE, RELEASE})
"""The tasks whose attempts are noted in `keys.counted_attempts`."""

STOPPED_FIELD: Final = "stopped"
"""A field of `keys.counted_attempts`."""

_STATE_EVENTS: Final = {
    WorkflowState.FINISHED: events.END_WORKFLOW,
    WorkflowState.FAILED: events.FAILED_WORKFLOW,
    WorkflowState.TERMINATED: events.TERMINATED_WORKFLOW,
}
"""The event that tells that a workflow has entered a state."""


def transition_commands(
    routes: Routes, workflow: LoadedWorkflow, transitions: Sequence[Transition]
) -> list[Command]:
    """Return the commands that write `transitions` of a workflow.

    The transitions have been applied to `workflow.progress` in this order; `workflow.record` is as before
    them. `routes` is when the workflow was loaded.
    """
    commands = state_commands(routes, workflow, transitions)
    commands += event_commands(routes, workflow, transitions)
    return commands + large_value_commands(workflow)


def state_commands(
    routes: Routes, workflow: LoadedWorkflow, transitions: Sequence[Transition]
) -> list[Command]:
    """Return those of `transition_commands` that write the workflow."""
    if not transitions:
        return []
    now_ms = routes.now_ms
    record, progress = workflow.record, workflow.progress
    fields: list[str | int] = ["counts", format_counts(progress)]
    obsolete: list[str] = []
    if progress.state is not record.state or (
        record.state is not WorkflowState.RUNNING and any(map(_changes_workflow, transitions))
    ):
        failed = [transition for transition in transitions if transition.state is WorkflowState.FAILED]
        cause = next((transition for transition in failed if transition.reason), None)
        fields += _state_fields(progress.state, cause, workflow.flow, now_ms)
        if record.state is not WorkflowState.RUNNING:  # else it has none of them
            obsolete = [name for name in STATE_DETAILS if name not in fields[::2]]
    commands: list[Command] = [("HSET", record.id, *fields)]
    if obsolete:
        commands.append(("HDEL", record.id, *obsolete))
    if simulated := sum(transition.simulated for transition in transitions):
        commands.append(("HINCRBY", record.id, "simulated", simulated))
    commands += _output_commands(record.id, transitions, workflow.texts)
    commands += _step_commands(record.id, workflow.flow, transitions)
    commands += _latch_commands(record.id, workflow.flow, transitions)
    commands.append(
        history_command(record.id, now_ms, [(each.facts, each.reason, each.actor) for each in transitions])
    )
    if progress.state is not record.state and not is_item(record.id):
        commands.append(("ZREM", keys.state(record.state), record.id))
        commands.append(("ZADD", keys.state(progress.state), record.started_ms, record.id))
    if progress.state is not record.state:  # also of a child: the flow that is called may have a timeout
        commands += deadline_commands(record.id, workflow.flow, progress.state, now_ms)
        if progress.state.has_ended and (schedule := schedule_of_id(record.id)):
            commands.append(("ZADD", keys.SCHEDULES_DUE, "XX", "LT", now_ms, schedule))
        if progress.state is WorkflowState.FINISHED:
            commands += forget_commands(routes.pauses, record.id)
    return commands


def event_commands(
    routes: Routes, workflow: LoadedWorkflow, transitions: Sequence[Transition]
) -> list[Command]:
    """Return those of `transition_commands` that append events, and that write what attempts have elsewhere:
    deadlines, delayed starts, places in indexes."""
    record = workflow.record
    trace = routes.trace_of(record.id, record.run, record.traceparent)
    values = workflow.large_values
    return _event_commands(routes, record.id, record.run, transitions, workflow.texts, values, trace)


def large_value_commands(workflow: LoadedWorkflow) -> list[Command]:
    """Return those of `transition_commands` that store and delete large values; they come last."""
    return workflow.large_values.commands(workflow.progress)


def create_workflow_commands(
    routes: Routes,
    workflow: str,
    flow: Flow,
    source: str,
    first: Transition,
    *,
    run: str,
    name: str = "",
    version: int | None = None,
    labels: Mapping[str, str] = NO_LABELS,
    hold: Hold | None = None,
    traceparent: str = "",
) -> list[Command]:
    """Return the commands that begin a workflow: its record and its first transition.

    The flow is stored already. `source` is the flow text; if empty, it is not stored. `run` is a new one, or
    that of the parent. `name` is the name in the record of a flow without one; `version` the number of the
    stored version that starts; `hold` what may hold back its steps; `traceparent` as in
    `Record`. A child has no labels, is in no index of workflows, and its start is no event: only its parent's
    history tells it.
    """
    now_ms, texts = routes.now_ms, JsonTexts()
    if hold is not None:
        # A copy: the next try of this transaction may find no hold.
        first = replace(first, starts=[replace(start) for start in first.starts])
        hold_starts(first, hold)
    progress = Progress()
    progress.apply(first)
    name = flow.name or name
    fields = [*flow_fields(flow, name, source, run, version, labels), "started", now_ms]
    fields += ("traceparent", traceparent) if traceparent else ()
    fields += ["counts", format_counts(progress)]
    fields += _state_fields(first.state, first, flow, now_ms)
    commands: list[Command] = [("HSET", workflow, *fields)]
    if not is_item(workflow):
        commands += index_commands(workflow, first.state, now_ms, name, labels)
    commands += deadline_commands(workflow, flow, first.state, now_ms)
    commands += _output_commands(workflow, [first], texts)
    commands += _step_commands(workflow, flow, [first], is_new=True)
    commands.append(history_command(workflow, now_ms, [(first.facts, first.reason, first.actor)]))
    if not is_item(workflow):
        at = format_timestamp(now_ms / 1000)
        start = {"workflow": workflow, **events.actor_values(first.actor)}
        commands.append(note_stream_command(routes.bus))
        commands.append(routes.bus_command(events.START_WORKFLOW, at, start))
    large_values = LargeValues(workflow)
    trace = routes.trace_of(workflow, run, traceparent)
    commands += _event_commands(routes, workflow, run, [first], texts, large_values, trace)
    return commands + large_values.commands(progress)


def history_command(
    workflow: str, at_ms: int, entries: Iterable[tuple[Iterable[Fact], str, Actor | None]]
) -> Command:
    """Return the command that appends entries, each facts, a reason and who has caused them by hand, to a
    workflow's history. (RPUSH)"""
    elements = (
        element
        for facts, reason, actor in entries
        for element in format_elements(at_ms, list(map(str, facts)), reason, actor)
    )
    return ("RPUSH", keys.facts(workflow), *elements)


def delete_out_of_band_commands(steps: Iterable[tuple[str, int]]) -> list[Command]:
    """Return the commands that delete the out-of-band outputs of steps, given as workflow and index. (DEL)"""
    return [("DEL", keys.out_of_band_output(*step)) for step in steps]


def _state_fields(
    state: WorkflowState, cause: Transition | None, flow: Flow, now_ms: int
) -> tuple[str | int, ...]:
    """Return the fields of a state; `cause` is the transition that has led to it, if that says a reason."""
    failed_step = failed_step_of(cause.facts, flow) if cause and state is WorkflowState.FAILED else None
    return state_fields(state, now_ms if state.has_ended else 0, cause.reason if cause else "", failed_step)


def _changes_workflow(transition: Transition) -> bool:
    """Return whether something happens to the workflow as a whole. Its state may be the same afterwards: a
    workflow that is restarted may fail again at once."""
    return any(fact.index is None for fact in transition.facts)


def _is_timed_out(transition: Transition) -> bool:
    return any(fact.kind is FactKind.TIMED_OUT for fact in transition.facts)


def _latest(changes: Sequence[Mapping[int, Change]]) -> Mapping[int, Change]:
    """Return what each step has after all of these changes, in order."""
    if len(changes) == 1:
        return changes[0]
    return {index: change for changed in changes for index, change in changed.items()}


def _output_commands(id: str, transitions: Sequence[Transition], texts: JsonTexts) -> list[Command]:
    outputs = _latest([transition.outputs for transition in transitions])
    fields = flatten_pairs([(index, texts.encode(output)) for index, output in outputs.items()])
    return [("HSET", keys.outputs(id), *fields)] if fields else []


def _step_commands(
    id: str, flow: Flow, transitions: Sequence[Transition], *, is_new: bool = False
) -> list[Command]:
    # A first attempt that is over is deleted, unless the step may start again: then its number must go on
    # counting, or a late result of this attempt would be taken for one of the next.
    last_deleted = 0 if flow.predecessors[0] else 1
    fields: list[str | int] = []
    deleted: list[int] = []
    for index, step in _latest([transition.steps for transition in transitions]).items():
        waiting, active, attempt, retries, earlier = step
        if waiting or active or attempt > last_deleted:
            more = f" {retries}" if retries or earlier else ""
            more += f" {earlier}" if earlier else ""
            fields += (index, f"{waiting} {active} {attempt}{more}")
        else:
            deleted.append(index)
    commands: list[Command] = [("HSET", keys.steps(id), *fields)] if fields else []
    if deleted and not is_new:
        commands.append(("HDEL", keys.steps(id), *deleted))
    return commands


def _latch_commands(id: str, flow: Flow, transitions: Sequence[Transition]) -> list[Command]:
    if flow.tasks.isdisjoint(_COUNTED_TASKS):
        return []
    # A wait role that still counts an attempt of such a step must notice: it watches the hash. So the field
    # is not deleted, and an attempt that is stopped changes the hash, too; the note of its step stays.
    counting = {
        fact.index
        for transition in transitions
        for fact in transition.facts
        if fact.kind in (FactKind.ENDED, FactKind.SKIPPED)
        and fact.index is not None
        and fact.item is None
        and flow.steps[fact.index].task in _COUNTED_TASKS
    }
    over = (attempt for transition in transitions for attempt in transition.over)
    if counting:
        return [("HSET", keys.counted_attempts(id), *flatten_pairs((index, 0) for index in sorted(counting)))]
    if any(attempt.invocation.base in _COUNTED_TASKS for attempt in over):
        return [("HSET", keys.counted_attempts(id), STOPPED_FIELD, 0)]
    return []


def _event_commands(
    routes: Routes,
    id: str,
    run: str,
    transitions: Iterable[Transition],
    texts: JsonTexts,
    large_values: LargeValues,
    trace: TraceContext | None,
) -> list[Command]:
    at = format_timestamp(routes.now_ms / 1000)
    commands: list[Command] = []
    for transition in transitions:
        commands += _over_commands(routes, id, run, transition)
        for attempt in transition.cancels:
            commands.append(routes.cancel_command(at, _attempt_fields(id, run, attempt)))
        if transition.cancels:
            commands += routes.stale_commands([attempt.invocation.base for attempt in transition.cancels])
        for start in transition.starts:
            commands += _start_commands(routes, id, run, start, texts, large_values, trace)
        if transition.state in _STATE_EVENTS and _changes_workflow(transition):
            commands += routes.state_commands(_STATE_EVENTS[transition.state], at, id)
        if transition.state is WorkflowState.FAILED and _is_timed_out(transition):  # its items are to stop
            commands.append(append_command(keys.ENDS, events.TERMINATED_WORKFLOW, at, {"workflow": id}))
    return commands


def _attempt_fields(id: str, run: str, attempt: Attempt) -> dict[str, Json]:
    return {
        "workflow": id,
        **({"run": run} if run else {}),
        "index": attempt.index,
        "attempt": attempt.attempt,
        "name": attempt.invocation.name,
        "base": attempt.invocation.base,
    }


def _start_commands(
    routes: Routes,
    id: str,
    run: str,
    start: Start,
    texts: JsonTexts,
    large_values: LargeValues,
    trace: TraceContext | None,
) -> list[Command]:
    """Return the commands that start an attempt, now or after its delay, and set its deadline."""
    invocation = start.invocation
    text = texts.encode(start.input)
    input: dict[str, Json] = {"input": text}
    if routes.goes_by_pointer(invocation.base, len(text)):
        input = {"input_from": large_values.refer(start.input, text, start.index, start.attempt)}
    fields: dict[str, Json] = {
        "workflow": id,
        "name": invocation.name,
        "base": invocation.base,
        "index": start.index,
        **input,
        "parameters": invocation.parameters,
        "attempt": start.attempt,
    }
    if start.tries != start.attempt:
        fields["tries"] = start.tries
    if run:
        fields["run"] = run
    if trace is not None and not is_for_lifecycles(invocation.base):
        fields["traceparent"] = trace.traceparent_of(start.index, start.attempt)
    if start.is_held:
        return held_start_commands(fields, invocation.options.timeout, routes.now_ms)
    if start.delay:
        return delayed_start_commands(fields, start.delay, invocation.options.timeout, routes.now_ms)
    return start_task_commands(routes, fields, invocation.options.timeout)


def _over_commands(routes: Routes, id: str, run: str, transition: Transition) -> Iterator[Command]:
    """Yield the commands that delete what there is of attempts that are over: deadlines, delayed starts,
    places in the index of unclaimed tasks. (ZREM, DEL)"""
    over = transition.over
    deadlines = [
        deadline_member(
            timeout, [each.invocation.name, each.invocation.base], id, each.index, each.attempt, run
        )
        for each in over
        if (timeout := each.invocation.options.timeout) is not None
    ]
    if deadlines:
        yield ("ZREM", keys.DEADLINES, *deadlines)
    may_be_held = bool(transition.cancels or routes.pauses)
    if starts := [(id, each.index, each.attempt, run) for each in over if may_be_held or each.may_be_delayed]:
        yield from forget_start_commands(starts)
    yield from routes.over_commands(
        [(each.invocation.base, (id, each.index, each.attempt, run)) for each in over]
    )
