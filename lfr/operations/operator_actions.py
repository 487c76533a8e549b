"""Notes what people do by hand as events on the bus, which the receipts role logs.

A start, an event and the end of a task by hand have an event of their own, which names the actor.
"""

from __future__ import annotations

import time

from lfr.events import OPERATOR_ACTION, actor_values
from lfr.store.redis.connection import Command, Store
from lfr.store.stream.entries import append_command
from lfr.values.json import Json
from lfr.values.times import format_timestamp


def note_action(store: Store, action: str, **fields: Json) -> list[Command]:
    """Return the command, for the transaction of an action, that appends an event with these fields about it
    to the bus. Without an actor there is none. (XADD)"""
    if store.actor is None:
        return []
    values = {"action": action, **fields, **actor_values(store.actor)}
    return [append_command(store.stream, OPERATOR_ACTION, format_timestamp(time.time()), values)]
