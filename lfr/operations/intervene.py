"""What people do to a workflow that exists, or to one step of it: terminate, restart; retry, fail, skip."""

from __future__ import annotations

from collections.abc import Callable

from lfr.engine import (
    LoadRequest,
    Progress,
    StepAction,
    Transition,
    fail_step,
    restart,
    retry_step,
    skip_step,
    terminate,
)
from lfr.errors import NotFound
from lfr.flow import Flow
from lfr.operations.permitted_actions import WorkflowAction, check_action, step_refusal
from lfr.operations.workflow_ids import parse_workflow_id
from lfr.states import MAY_FOLLOW, WorkflowState
from lfr.store.redis.connection import Connection, Store
from lfr.store.workflows.commit import commit, transition_commands
from lfr.store.workflows.delete import delete_workflow_commands, watch_references
from lfr.store.workflows.export import load_own_keys
from lfr.store.workflows.flows import FlowCache
from lfr.store.workflows.items import load_items, load_open
from lfr.store.workflows.load import LoadedWorkflow, load_whole, watch_state
from lfr.values.json import Json


def terminate_workflow(store: Store, id: str) -> WorkflowState:
    """Stop a workflow: nothing more starts in it, and what runs counts no more. Its state afterwards.

    Raises NotFound, and Conflict if it has ended already.
    """
    return _intervene(store, id, WorkflowAction.TERMINATE, WorkflowState.TERMINATED)


def restart_workflow(store: Store, id: str) -> WorkflowState:
    """Go on with a failed or terminated workflow; what has ended is not done again. Its state afterwards.

    Raises NotFound, and Conflict if it runs or has finished.
    """
    return _intervene(store, id, WorkflowAction.RESTART, WorkflowState.RUNNING)


def retry_task(store: Store, id: str, index: int) -> None:
    """Start the running task of a step anew; what its worker says of the attempt so far counts no more.

    If it has failed or was stopped, the workflow goes on as by a restart. Raises BadInput, NotFound, and
    Conflict if it is in another state.
    """
    _touch(store, id, index, StepAction.RETRY, lambda workflow: retry_step(*_parts(workflow), index))


def fail_task(store: Store, id: str, index: int, reason: str) -> None:
    """Let the running task of a step fail, without another attempt. Raises as `retry_task`."""

    def act(workflow: LoadedWorkflow) -> Transition | LoadRequest:
        return fail_step(workflow.flow, workflow.progress, index, reason)

    _touch(store, id, index, StepAction.FAIL, act)


def skip_task(store: Store, id: str, index: int, output: Json = None) -> None:
    """Go on without a task that runs, has failed or was stopped. Its output is `output`, or its input.

    A workflow that has failed or was terminated goes on, as by a restart. Raises as `retry_task`.
    """
    _touch(store, id, index, StepAction.SKIP, lambda workflow: skip_step(*_parts(workflow), index, output))


def _parts(workflow: LoadedWorkflow) -> tuple[Flow, Progress, dict[int, Json]]:
    return workflow.flow, workflow.progress, workflow.outputs


def _touch(
    store: Store,
    id: str,
    index: int,
    action: StepAction,
    act: Callable[[LoadedWorkflow], Transition | LoadRequest],
) -> None:
    id = parse_workflow_id(id)
    with store.connect() as connection:
        while True:
            now_ms, workflow = load_whole(connection, FlowCache(), id)
            if workflow is None:
                raise NotFound(f"there is no workflow {id}")
            error = step_refusal(action, id, workflow.flow, workflow.progress, index)
            if error is not None:
                raise error
            transition = act(workflow)
            assert isinstance(transition, Transition)  # the whole progress is loaded
            workflow.take(transition)
            if commit(connection, transition_commands(store.stream, workflow, [transition], now_ms)):
                return


def _intervene(store: Store, id: str, action: WorkflowAction, wanted: WorkflowState) -> WorkflowState:
    id = parse_workflow_id(id)
    with store.connect() as connection:
        while True:
            now_ms, workflow = load_whole(connection, FlowCache(), id)
            check_action(action, id, None if workflow is None else workflow.record.state)
            assert workflow is not None
            transition = transition_to(workflow, wanted)
            workflow.take(transition)
            if commit(connection, transition_commands(store.stream, workflow, [transition], now_ms)):
                return transition.state


def transition_to(workflow: LoadedWorkflow, wanted: WorkflowState) -> Transition:
    """What terminating or restarting changes in a workflow that has been loaded whole."""
    if wanted is WorkflowState.TERMINATED:
        return terminate(workflow.flow, workflow.progress)
    answer = restart(workflow.flow, workflow.progress, workflow.outputs)
    assert not isinstance(answer, LoadRequest)  # the whole progress is loaded
    return answer


def delete_workflow(store: Store, id: str) -> None:
    """Delete a workflow that has ended. Tasks that still run in one that has failed are stopped first.

    Raises NotFound, and Conflict if it runs or is an item of another.
    """
    id = parse_workflow_id(id)
    while not _delete(store, id):
        pass  # somebody moved it meanwhile


def _delete(store: Store, id: str) -> bool:
    with store.connect() as connection:
        _, workflow = load_whole(connection, FlowCache(), id)
        check_action(WorkflowAction.DELETE, id, None if workflow is None else workflow.record.state)
        assert workflow is not None
        record = workflow.record
        if record.active and record.state is WorkflowState.FAILED:
            terminate_workflow(store, id)
            return False
        _stop_items(store, connection, id, workflow.flow)
        if watch_state(connection, id) is not record.state:
            return False
        own = list(load_own_keys(connection, id, workflow.flow))
        references = watch_references(
            connection, record.digest
        )  # last: whatever starts or goes meanwhile moves them
        return commit(connection, delete_workflow_commands(id, record.state, own, record.digest, references))


def _stop_items(store: Store, connection: Connection, id: str, flow: Flow) -> None:
    """Stop what still runs in items: their waits and their workers are to hear of it, too."""
    iterated = [step.index for step in flow.own_steps if step.iterate]
    for index, items in load_items(connection, id, iterated).items():
        for item in load_open(connection, id, index, items):
            while not _stop_item(store, connection, str(item)):
                pass  # somebody moved it meanwhile
            _stop_items(store, connection, str(item), flow.part(index))


def _stop_item(store: Store, connection: Connection, id: str) -> bool:
    now_ms, item = load_whole(connection, FlowCache(), id)
    if item is None or WorkflowState.TERMINATED not in MAY_FOLLOW[item.record.state]:
        connection.execute([("UNWATCH",)])
        return True
    transition = transition_to(item, WorkflowState.TERMINATED)
    item.take(transition)
    return commit(connection, transition_commands(store.stream, item, [transition], now_ms))
