"""Delete a workflow: all that is kept of it, and of its items."""

from __future__ import annotations

from lfr.flow import Flow
from lfr.operations.intervene import terminate_workflow, transition_to
from lfr.operations.permitted_actions import Action, check_action
from lfr.operations.workflow_ids import full_id
from lfr.states import MAY_FOLLOW, WorkflowState
from lfr.store.redis.connection import Link, Store
from lfr.store.workflows.commit import change, commit
from lfr.store.workflows.delete import remove, watch_references
from lfr.store.workflows.export import own_keys
from lfr.store.workflows.flows import FlowCache
from lfr.store.workflows.items import load_items, load_open
from lfr.store.workflows.load import load_whole, watch_state


def delete_workflow(store: Store, id: str) -> None:
    """Delete a workflow that has ended. Tasks that still run in one that has failed are stopped first.

    Raises NotFound, and Conflict if it runs or is an item of another.
    """
    id = full_id(id)
    while not _delete(store, id):
        pass  # somebody moved it meanwhile


def _delete(store: Store, id: str) -> bool:
    with store.link() as link:
        _, workflow = load_whole(link, FlowCache(), id)
        check_action(Action.DELETE, id, None if workflow is None else workflow.record.state)
        assert workflow is not None
        record = workflow.record
        if record.active and record.state is WorkflowState.FAILED:
            terminate_workflow(store, id)
            return False
        _stop_items(store, link, id, workflow.flow)
        if watch_state(link, id) is not record.state:
            return False
        own = list(own_keys(link, id, workflow.flow))
        references = watch_references(
            link, record.digest
        )  # last: whatever starts or goes meanwhile moves them
        return commit(link, remove(id, record.state, own, record.digest, references))


def _stop_items(store: Store, link: Link, id: str, flow: Flow) -> None:
    """Stop what still runs in items: their waits and their workers are to hear of it, too."""
    iterated = [step.index for step in flow.own_steps if step.iterate]
    for index, items in load_items(link, id, iterated).items():
        for item in load_open(link, id, index, items):
            while not _stop_item(store, link, str(item)):
                pass  # somebody moved it meanwhile
            _stop_items(store, link, str(item), flow.part(index))


def _stop_item(store: Store, link: Link, id: str) -> bool:
    now_ms, item = load_whole(link, FlowCache(), id)
    if item is None or WorkflowState.TERMINATED not in MAY_FOLLOW[item.record.state]:
        link.exchange([("UNWATCH",)])
        return True
    transition = transition_to(item, WorkflowState.TERMINATED)
    item.take(transition)
    return commit(link, change(store.stream, item, [transition], now_ms))
