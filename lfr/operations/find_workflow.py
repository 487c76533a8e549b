"""Finds a workflow by the beginning of its id, as people type it."""

from __future__ import annotations

from typing import Final

from lfr.errors import BadInput, NotFound
from lfr.operations.workflow_ids import parse_workflow_id
from lfr.store.redis.connection import Store
from lfr.store.workflows.queries import find_ids
from lfr.store.workflows.remains import has_remains

_MAX_NAMED: Final = 3
"""How many ids a message names."""


def find_workflow_id(store: Store, text: str) -> str:
    """Return the id that `text` stands for: itself, or the only id that begins with it; of an item, the id of
    its outermost parent may be shortened. Raises BadInput if it cannot be an id or several begin with it, and
    NotFound."""
    beginning, slash, item = parse_workflow_id(text).partition("/")
    with store.connect() as connection:
        ids = find_ids(connection, beginning, count=_MAX_NAMED + 1)
        if beginning not in ids and has_remains(connection, beginning):
            ids = [beginning]
    if not ids:
        raise NotFound(f"there is no workflow {beginning}", hint="lfr list shows the workflows")
    if len(ids) > 1:
        names = ", ".join(ids[:_MAX_NAMED]) + (", ..." if len(ids) > _MAX_NAMED else "")
        raise BadInput(f"more than one id begins with {beginning}: {names}", hint="type more of it")
    return ids[0] + slash + item
