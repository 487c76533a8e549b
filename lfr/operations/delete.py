"""Delete a workflow: all that is kept of it, and of its items."""

from __future__ import annotations

from lfr.errors import Conflict, NotFound
from lfr.item_ids import read_item_id
from lfr.operations.identify import full_id
from lfr.operations.intervene import terminate_workflow
from lfr.states import WorkflowState
from lfr.store.commit import commit
from lfr.store.connection import Store
from lfr.store.flows import FlowCache
from lfr.store.load import load_whole
from lfr.store.removal import remove, watch_references
from lfr.store.snapshot import own_keys


def delete_workflow(store: Store, id: str) -> None:
    """Delete a workflow that has ended. Tasks that still run in one that has failed are stopped first.

    Raises NotFound, and Conflict if it runs or is an item of another.
    """
    id = full_id(id)
    item = read_item_id(id)
    if item is not None:
        raise Conflict(
            f"{id} is an item of {item.parent}, and is deleted with it", hint=f"name {item.parent}"
        )
    while not _delete(store, id):
        pass  # somebody moved it meanwhile


def _delete(store: Store, id: str) -> bool:
    with store.link() as link:
        _, workflow = load_whole(link, FlowCache(), id)
        if workflow is None:
            raise NotFound(f"there is no workflow {id}")
        record = workflow.record
        if not record.state.has_ended:
            raise Conflict(f"{id} is {record.state} and cannot be deleted", hint="terminate it first")
        if record.active and record.state is WorkflowState.FAILED:
            terminate_workflow(store, id)
            return False
        references = watch_references(link, record.digest)
        own = list(own_keys(link, id, workflow.flow))
        return commit(link, remove(id, record.state, own, record.digest, references))
