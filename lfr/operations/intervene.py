"""What people do to a workflow that exists: terminate it, restart it."""

from __future__ import annotations

from lfr.engine import Needed, Transition, restart, terminate
from lfr.errors import Conflict, NotFound
from lfr.item_ids import read_item_id
from lfr.operations.identify import full_id
from lfr.states import MAY_FOLLOW, WorkflowState
from lfr.store.commit import change, commit
from lfr.store.connection import Store
from lfr.store.flows import FlowCache
from lfr.store.load import LoadedWorkflow, load_whole


def terminate_workflow(store: Store, id: str) -> WorkflowState:
    """Stop a workflow: nothing more starts in it, and what runs counts no more. Its state afterwards.

    Raises NotFound, and Conflict if it has ended already.
    """
    return _intervene(store, id, WorkflowState.TERMINATED, "terminated")


def restart_workflow(store: Store, id: str) -> WorkflowState:
    """Go on with a failed or terminated workflow; what has ended is not done again. Its state afterwards.

    Raises NotFound, and Conflict if it runs or has finished.
    """
    return _intervene(store, id, WorkflowState.RUNNING, "restarted")


def _intervene(store: Store, id: str, wanted: WorkflowState, word: str) -> WorkflowState:
    id = full_id(id)
    item = read_item_id(id)
    if item is not None:
        raise Conflict(f"{id} is an item of {item.parent}, and is {word} with it", hint=f"name {item.parent}")
    with store.link() as link:
        while True:
            now_ms, workflow = load_whole(link, FlowCache(), id)
            if workflow is None:
                raise NotFound(f"there is no workflow {id}")
            state = workflow.record.state
            if wanted not in MAY_FOLLOW[state]:
                raise Conflict(f"{id} is {state} and cannot be {word}")
            transition = transition_to(workflow, wanted)
            workflow.take(transition)
            if commit(link, change(store.stream, workflow, [transition], now_ms)):
                return transition.state


def transition_to(workflow: LoadedWorkflow, wanted: WorkflowState) -> Transition:
    """What terminating or restarting changes in a workflow that has been loaded whole."""
    if wanted is WorkflowState.TERMINATED:
        return terminate(workflow.flow, workflow.progress)
    answer = restart(workflow.flow, workflow.progress, workflow.outputs)
    assert not isinstance(answer, Needed)  # the whole progress is loaded
    return answer
