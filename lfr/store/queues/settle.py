"""Settles the entries that a lifecycle has processed, on whichever stream they are."""

from __future__ import annotations

from collections.abc import Sequence

from lfr.store import keys
from lfr.store.queues.routes import Routes
from lfr.store.redis.connection import Command
from lfr.store.stream.cleanup import LoggedReceipt, queue_command
from lfr.store.stream.entries import (
    ConsumerId,
    Entry,
    acknowledge_command,
    receipt_commands,
    settle_commands,
)
from lfr.values.times import format_timestamp


def processed_commands(
    routes: Routes, consumers: Sequence[ConsumerId], entries: Sequence[Entry], action: str = "processed"
) -> list[Command]:
    """Return the commands that settle these entries; none for no entries.

    For those that only lifecycles read, see `settle_commands`. An entry of the bus is acknowledged. While a
    foreign group reads the bus, it gets a receipt there; else, while a receipts role runs, one receipt is for
    many; else it is queued to be cleared. (XACK; XADD, ZADD, XDEL)
    """
    if not entries:
        return []
    at = format_timestamp(routes.now_ms / 1000)
    commands: list[Command] = []
    for consumer in consumers:
        ids = [entry.id for entry in entries if entry.stream == consumer.stream]
        if keys.has_one_group(consumer.stream) or (routes.has_receipts and not routes.has_listeners):
            commands += settle_commands(consumer, ids, at, has_receipts=routes.has_receipts, action=action)
        elif ids and routes.has_listeners:
            commands += receipt_commands(consumer, dict.fromkeys(ids, action), at)
        elif ids:
            commands += [
                acknowledge_command(consumer, ids),
                queue_command([LoggedReceipt(id, id) for id in ids]),
            ]
    return commands
