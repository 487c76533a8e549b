"""Lists latches and resets them."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from lfr.errors import NotFound
from lfr.operations.operator_actions import note_action
from lfr.store.redis.connection import Store, read_time_ms
from lfr.store.waits.latches import complete_opened_countdowns, read_latches, reset


def list_latches(store: Store) -> list[dict[str, Any]]:
    """Return the latches above zero, and those that became zero within the last hour, sorted by name.

    Each as plain data: name; value, the count, or None if its key holds no integer; waiters, how many
    countdowns wait for it; waiting, the hundred that have waited longest, as workflow and step index.
    """
    with store.connect() as connection:
        return [
            {
                "name": latch.name,
                "value": latch.count,
                "waiters": latch.waiter_count,
                "waiting": [
                    {"workflow": workflow, "index": index} for workflow, index in latch.first_waiters
                ],
            }
            for latch in read_latches(connection)
        ]


def reset_latch(store: Store, name: str) -> dict[str, Any]:
    """Set a latch to zero, whoever holds it, and complete the countdowns that wait for it.

    Return what it was before: name, value and waiters, as in `list_latches`. Later releases fail while it is
    zero. Raises NotFound if the latch is zero already and no countdown waits for it.
    """
    with store.connect() as connection:
        note = note_action(store, "reset-latch", latch=name)
        latch = reset(connection, store.stream, name, tag=str(uuid4()), also=note)
        if latch.count == 0 and not latch.waiter_count:
            raise NotFound(f"there is no latch {name}, or it is at zero", hint="lfr latches shows them")
        while complete_opened_countdowns(connection, read_time_ms(connection)):
            pass
        return {"name": name, "value": latch.count, "waiters": latch.waiter_count}
