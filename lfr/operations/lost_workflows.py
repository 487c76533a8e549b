"""Says what is wrong with a workflow that cannot be loaded: there is none, or it is half lost."""

from __future__ import annotations

from lfr.errors import Conflict, NotFound
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
    return NotFound(f"there is no workflow {id}", hint="lfr list shows the workflows")


def remains_in_the_way(id: str) -> Conflict:
    """Return the error for a new workflow whose id an earlier one had of which something is left."""
    hint = f"choose another id, or remove it with lfr delete {id}"
    return Conflict(f"something is left in Redis of an earlier workflow {id}", hint=hint)
