"""Says why a workflow cannot be loaded: there is none, it is half lost, it is an item that has finished."""

from __future__ import annotations

from lfr.errors import Conflict, NotFound
from lfr.operations.inspect.finished_item import find_finished_item
from lfr.store.redis.connection import Connection
from lfr.store.workflows.queries import load_records
from lfr.store.workflows.remains import has_remains


def missing_workflow(connection: Connection, id: str) -> NotFound:
    """Return the error for a workflow without a record or without a flow. (HMGET, EXISTS, ZSCORE)"""
    hint = f"lfr delete {id} removes what is left of it"
    if load_records(connection, [id])[0] is not None:
        hint = f"a start of the same flow text stores it again; {hint}"
        return NotFound(f"the flow of {id} is gone from Redis", hint=hint)
    if has_remains(connection, id):
        return NotFound(f"the record of {id} is gone from Redis", hint=hint)
    if (item := find_finished_item(connection, id)) is not None:
        remains = (
            f"lfr inspect {id} shows"
            if item.is_of_iteration
            else f"lfr inspect {item.id.parent} {item.id.index} shows"
        )
        return NotFound(item.explain(), hint=f"{remains} its input and its output")
    return NotFound(f"there is no workflow {id}", hint="lfr list shows the workflows")


def remains_in_the_way(id: str) -> Conflict:
    """Return the error for a new workflow whose id an earlier one had of which something is left."""
    hint = f"choose another id, or remove it with lfr delete {id}"
    return Conflict(f"something is left in Redis of an earlier workflow {id}", hint=hint)
