"""Interventions: terminate, restart and delete a workflow; retry, fail and skip the task of a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from lfr.actor import Actor
from lfr.engine.interventions import StepAction, fail_step, restart, retry_step, skip_step, terminate
from lfr.engine.step_inputs import normalize_value
from lfr.engine.transition import Transition
from lfr.errors import WrongType
from lfr.events import cut_reason
from lfr.flow import Flow
from lfr.item_ids import is_item
from lfr.operations.lost_workflows import missing_workflow
from lfr.operations.operator_actions import note_action
from lfr.operations.permitted_actions import WorkflowAction, check_action, check_step_action
from lfr.operations.workflow_ids import parse_workflow_id
from lfr.states import MAY_FOLLOW, WorkflowState
from lfr.store import key_patterns
from lfr.store.queues.pauses import forget_commands
from lfr.store.queues.routes import RouteCache
from lfr.store.redis.connection import Command, Connection, Store
from lfr.store.redis.transaction import ReadAgain, retry_until_committed
from lfr.store.workflows.commit import transition_commands
from lfr.store.workflows.flow_cache import FlowCache
from lfr.store.workflows.flow_texts import load_reference_names, watch_references
from lfr.store.workflows.items import load_child_flow, load_item_counts, load_open_items
from lfr.store.workflows.load import LoadedWorkflow, load_whole, watch_run
from lfr.store.workflows.own_data import delete_workflow_commands, load_own_data
from lfr.store.workflows.queries import load_records
from lfr.store.workflows.record import Record
from lfr.store.workflows.remains import find_keys, has_remains, unlist_commands
from lfr.store.workflows.search_indexes import find_index_keys
from lfr.values.json import ABSENT, Json

Condition: TypeAlias = Callable[[Record], bool]
"""Whether an intervention is done to the workflow with this record, which lists show."""


class Unfulfilled(Exception):
    """The workflow does not fulfil the condition of an intervention, or does not exist."""


@dataclass(frozen=True, slots=True)
class ChangedStep:
    """What an intervention in a step has changed: the workflow's id and state, the index and name of the
    step, and the number of the attempt that it has started (None: none)."""

    id: str
    state: WorkflowState
    index: int
    name: str
    attempt: int | None


def terminate_workflow(store: Store, id: str) -> WorkflowState:
    """Terminate a workflow: no more steps start, and results of running tasks are ignored. Return its state.

    A failed workflow can be terminated, too. Raises BadInput for the id, NotFound, and Conflict if it is
    finished, is terminated, or is an item of another workflow.
    """
    return _set_state(store, id, WorkflowAction.TERMINATE, WorkflowState.TERMINATED)


def restart_workflow(store: Store, id: str) -> WorkflowState:
    """Restart a failed or terminated workflow; steps that have ended are not run again.

    Return its state: not always RUNNING, as it may end at once. Raises BadInput for the id, NotFound, and
    Conflict if it runs, has finished, or is an item of another workflow.
    """
    return _set_state(store, id, WorkflowAction.RESTART, WorkflowState.RUNNING)


def change_state_if(store: Store, id: str, action: WorkflowAction, condition: Condition) -> bool:
    """Terminate or restart a workflow if it fulfils the condition in the transaction that does it; return
    whether it did. Raises as `terminate_workflow` and `restart_workflow`."""
    is_terminating = action is WorkflowAction.TERMINATE
    state = WorkflowState.TERMINATED if is_terminating else WorkflowState.RUNNING
    try:
        _set_state(store, id, action, state, condition)
    except Unfulfilled:
        return False
    return True


def retry_task_if(store: Store, id: str, index: int, condition: Condition) -> bool:
    """Retry the task of a step as `retry_task` does, if its workflow fulfils the condition in the same
    transaction; return whether it did."""
    try:
        _change_step(store, id, index, StepAction.RETRY, condition=condition)
    except Unfulfilled:
        return False
    return True


def retry_task(store: Store, id: str, index: int) -> ChangedStep:
    """Start another attempt of a step's running task; the result of the current attempt is ignored.

    If the step has failed or was stopped, restart the workflow. Raises BadInput, also for an iterated step;
    NotFound; and Conflict if the step is in another state.
    """
    return _change_step(store, id, index, StepAction.RETRY)


def fail_task(store: Store, id: str, index: int, reason: str) -> ChangedStep:
    """Fail the running task of a step without a retry, and with it the workflow. Raises Conflict if the task
    does not run, else as `retry_task`."""
    return _change_step(store, id, index, StepAction.FAIL, reason=cut_reason(reason))


def skip_task(store: Store, id: str, index: int, output: Json = ABSENT) -> ChangedStep:
    """Skip a task that runs, has failed or was stopped. Its output is `output`; ABSENT: its input.

    If the task does not run, its workflow continues as after a restart. Raises as `retry_task`.
    """
    if output is not ABSENT:
        output = normalize_value("the output", output)
    return _change_step(store, id, index, StepAction.SKIP, output=output)


def _change_step(
    store: Store,
    id: str,
    index: int,
    action: StepAction,
    *,
    reason: str = "",
    output: Json = ABSENT,
    condition: Condition | None = None,
) -> ChangedStep:
    id = parse_workflow_id(id)
    name = ""

    def decide(workflow: LoadedWorkflow | None) -> Transition:
        nonlocal name
        check_condition(connection, id, condition)
        if workflow is None:
            raise missing_workflow(connection, id)
        flow, progress, outputs = workflow.flow, workflow.progress, workflow.outputs
        check_step_action(action, id, flow, progress, index)
        name = flow.steps[index].name
        match action:
            case StepAction.RETRY:
                return retry_step(flow, progress, outputs, index)
            case StepAction.SKIP:
                return skip_step(flow, progress, outputs, index, output)
            case StepAction.FAIL:
                return fail_step(flow, progress, index, reason)

    with store.connect() as connection:
        note = note_action(store, action, workflow=id, index=index)
        transition = intervene(
            connection, RouteCache(store), FlowCache(), id, decide, actor=store.actor, also=note
        )
    assert transition is not None  # `decide` returns one
    attempts = [start.attempt for start in transition.starts if start.index == index]
    return ChangedStep(id, transition.state, index, name, attempts[-1] if attempts else None)


def _set_state(
    store: Store,
    id: str,
    action: WorkflowAction,
    state: WorkflowState,
    condition: Condition | None = None,
) -> WorkflowState:
    id = parse_workflow_id(id)

    def decide(workflow: LoadedWorkflow | None) -> Transition | None:
        check_condition(connection, id, condition)
        if workflow is None and not is_item(id):
            raise missing_workflow(connection, id)
        check_action(action, id, None if workflow is None else workflow.record.state)
        return None if workflow is None else transition_if_allowed(workflow, state)

    with store.connect() as connection:
        note = note_action(store, action, workflow=id)
        transition = intervene(
            connection, RouteCache(store), FlowCache(), id, decide, actor=store.actor, also=note
        )
        assert transition is not None  # check_action raises if there is none
        return transition.state


def check_condition(connection: Connection, id: str, condition: Condition | None) -> None:
    """Raise Unfulfilled if a workflow, which is watched, does not fulfil a condition."""
    if condition is not None:
        record = load_records(connection, [id])[0]
        if record is None or not condition(record):
            raise Unfulfilled


def intervene(
    connection: Connection,
    route_cache: RouteCache,
    flows: FlowCache,
    id: str,
    decide: Callable[[LoadedWorkflow | None], Transition | None],
    *,
    actor: Actor | None = None,
    also: Sequence[Command] = (),
) -> Transition | None:
    """Load a workflow whole and write the transition that `decide` returns for it; return that transition.

    If another client changes the workflow meanwhile, load it and decide again. `decide` gets None if there is
    no such workflow; if it returns None, nothing is written. What it raises goes to the caller. `actor` is
    who causes it by hand; `also` are commands for the same transaction.
    """

    def attempt() -> tuple[list[Command] | None, Transition | None]:
        routes, workflow = load_whole(connection, flows, route_cache, id)
        transition = decide(workflow)
        if workflow is None or transition is None:
            return None, None
        transition.actor = actor
        workflow.apply(transition)
        return [*transition_commands(routes, workflow, [transition]), *also], transition

    return retry_until_committed(connection, attempt)


def transition_if_allowed(workflow: LoadedWorkflow, state: WorkflowState) -> Transition | None:
    """Return the transition that terminates a workflow (if `state` is TERMINATED) or restarts it (else), or
    None if the workflow's own state forbids that. Writes nothing."""
    if state not in MAY_FOLLOW[workflow.record.state]:
        return None
    if state is WorkflowState.TERMINATED:
        return terminate(workflow.flow, workflow.progress)
    return restart(workflow.flow, workflow.progress, workflow.outputs)


def delete_workflow(store: Store, id: str) -> None:
    """Delete a workflow that has ended, with all its data and its items, or what is left of one that has lost
    its record or its flow, or has a key of another type, whatever its state.

    Tasks that still run in a failed workflow are stopped first, in a transaction of their own. Raises
    BadInput for the id, NotFound, and Conflict if it runs or is an item of another workflow.
    """
    id = parse_workflow_id(id)
    try:
        delete_workflow_if(store, FlowCache(), id, None)
    except WrongType as error:  # nothing can be made of its data
        if key_patterns.owner(error.key) != id:
            raise
        with store.connect() as connection:
            note = note_action(store, WorkflowAction.DELETE, workflow=id)
            retry_until_committed(connection, lambda: (_delete_remains_commands(connection, id) + note, None))


def delete_workflow_if(store: Store, flows: FlowCache, id: str, condition: Condition | None) -> bool:
    """Delete a workflow as `delete_workflow` does, if its record fulfils the condition in the transaction
    that deletes it; return whether it did. None: there is no condition.

    With a condition, a workflow that has no record is none, and a key of another type raises WrongType.
    """
    stopped_run: str | None = None
    note = note_action(store, WorkflowAction.DELETE, workflow=id)
    with store.connect() as connection:

        def attempt() -> tuple[list[Command] | None, bool]:
            nonlocal stopped_run
            routes, workflow = load_whole(connection, flows, RouteCache(store), id)
            record = load_records(connection, [id])[0]
            if condition is not None and (
                record is None or not (condition(record) or record.run == stopped_run)
            ):
                return None, False
            if workflow is None and not is_item(id):
                return _delete_remains_commands(connection, id) + note, True
            check_action(WorkflowAction.DELETE, id, None if workflow is None else workflow.record.state)
            assert workflow is not None and record is not None
            if record.active and record.state is WorkflowState.FAILED:
                terminate_run(store, connection, id, record.run)
                stopped_run = record.run  # it was as the condition needs it, until now
                raise ReadAgain
            commands = _delete_commands(store, connection, flows, record, workflow.flow)
            return [*commands, *forget_commands(routes.pauses, id), *note], True

        return retry_until_committed(connection, attempt)


def delete_child(store: Store, connection: Connection, flows: FlowCache, id: str) -> None:
    """Delete the child of a call, whatever its state, with its own children. What it runs is stopped first,
    in a transaction of its own. If there is no such workflow, do nothing."""

    def attempt() -> tuple[list[Command] | None, None]:
        _, workflow = load_whole(connection, flows, RouteCache(store), id)
        if workflow is None:
            return None, None
        if workflow.record.active:
            terminate_run(store, connection, id, workflow.record.run)
            raise ReadAgain
        return _delete_commands(store, connection, flows, workflow.record, workflow.flow), None

    retry_until_committed(connection, attempt)


def _delete_commands(
    store: Store, connection: Connection, flows: FlowCache, record: Record, flow: Flow
) -> list[Command]:
    """Terminate the children of a workflow of which no task runs; return the commands that delete it and
    them. Raises ReadAgain. `record` has name and labels, but for a child: that is in no index."""
    _terminate_children(store, connection, flows, record.id, flow)
    if watch_run(connection, record.id) != (record.state, record.run):
        raise ReadAgain
    own = load_own_data(connection, record.id, flow, flows)
    # Watched last: every start and deletion of a workflow with this flow changes the references.
    references = watch_references(connection, list(own.uses))
    return delete_workflow_commands(record, own.keys, references, own.uses)


def _delete_remains_commands(connection: Connection, id: str) -> list[Command]:
    """Return the commands that delete a workflow without a record or without a flow. Raises NotFound."""
    record = load_records(connection, [id])[0]
    own_keys = find_keys(connection, id)
    if record is None:
        if not own_keys and not has_remains(connection, id):
            raise missing_workflow(connection, id)
        indexes = find_index_keys(connection)  # nothing says any more in which ones it stands
        commands = [*unlist_commands(id), *(("ZREM", index, id) for index in indexes)]
        return [*commands, ("DEL", *own_keys)] if own_keys else commands
    uses = dict.fromkeys(load_reference_names(connection, id), 1)
    references = watch_references(connection, list(uses))
    return unlist_commands(id) + delete_workflow_commands(record, own_keys, references, uses)


def terminate_run(store: Store, connection: Connection, id: str, run: str) -> None:
    """Terminate a workflow if its state permits it, unless another one has its id meanwhile."""

    def decide(workflow: LoadedWorkflow | None) -> Transition | None:
        return _termination(workflow if workflow and workflow.record.run == run else None)

    intervene(connection, RouteCache(store), FlowCache(), id, decide)


def _terminate_children(store: Store, connection: Connection, flows: FlowCache, id: str, flow: Flow) -> None:
    """Terminate the running children of a workflow, and theirs, so that their waits and workers end, too."""
    for index, counts in load_item_counts(connection, id, flow.steps_with_children).items():
        for child in load_open_items(connection, id, index, counts):
            intervene(connection, RouteCache(store), flows, str(child), _termination)
            child_flow = load_child_flow(connection, flows, flow, child)
            if child_flow is not None:
                _terminate_children(store, connection, flows, str(child), child_flow)


def _termination(workflow: LoadedWorkflow | None) -> Transition | None:
    return None if workflow is None else transition_if_allowed(workflow, WorkflowState.TERMINATED)
