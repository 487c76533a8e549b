"""Latches: what they count, who waits for them; and setting one back to zero."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from lfr.errors import NotFound
from lfr.store.redis.connection import Store
from lfr.store.waits.latches import let_all_go, read_latches, reset


def list_latches(store: Store) -> list[dict[str, Any]]:
    """The latches that are not at zero, and those that have come to it within the last hour, by name.

    Each as plain data: name; value, the count, or None if its key holds no whole number; waiters, how many
    count it down; and waiting, up to a hundred of these, longest first, with workflow and index.
    """
    with store.connect() as connection:
        return [
            {
                "name": each.name,
                "value": each.count,
                "waiters": each.waiters,
                "waiting": [{"workflow": workflow, "index": index} for workflow, index in each.first],
            }
            for each in read_latches(connection)
        ]


def reset_latch(store: Store, name: str) -> dict[str, Any]:
    """Bring a latch to zero, whoever holds it; who counts it down goes on. What it was: name, value, waiters.

    Releases that come later are refused. Raises NotFound if it is at zero and nobody waits for it.
    """
    with store.connect() as connection:
        while True:
            found = reset(connection, store.stream, name, str(uuid4()))
            if found is None:
                continue  # somebody has touched it meanwhile
            if not found.waiters and found.count == 0:
                raise NotFound(f"there is no latch {name}, or it is at zero", hint="lfr latches shows them")
            let_all_go(connection, store.stream)
            return {"name": name, "value": found.count, "waiters": found.waiters}
