"""The index of the tasks that nobody has claimed, and the notes which tasks foreign workers do."""

from __future__ import annotations

from collections.abc import Sequence

from lfr import events
from lfr.item_ids import root_workflow
from lfr.store import keys
from lfr.store.redis.connection import TIME, Connection, parse_time_ms
from lfr.store.stream.entries import parse_pairs
from lfr.store.workflows.attempt_status import are_current

_PAGE = 200
"""How many attempts of a task are looked at once."""

_MOST_COUNTED = 1000

FOREIGN_MS = 24 * 3600 * 1000
"""How long it counts that a foreign worker has ended a task of a name."""


def tidy_index(connection: Connection, offset: int) -> int:
    """Remove attempts that are over from the index of unclaimed tasks, and names of which none is left.

    An attempt stays there if it ended while a group claimed its task, or if its workflow was deleted while it
    was half lost. Looks at a page of each name, from `offset` on. Return the offset of the next page, 0 after
    the last one. (SMEMBERS; WATCH, ZCARD, ZRANGE, HGET; ZREM, SREM)
    """
    next_offset = 0
    for name in connection.call("SMEMBERS", keys.UNCLAIMED):
        key = keys.unclaimed(name.decode())
        _, count, page = connection.execute(
            [("WATCH", key), ("ZCARD", key), ("ZRANGE", key, offset, offset + _PAGE - 1)]
        )
        over = find_over(connection, [member.decode() for member in page])
        if over:
            connection.transact([("ZREM", key, *over)])
        elif not count:
            connection.transact([("SREM", keys.UNCLAIMED, name)])
        else:
            connection.unwatch()
        if offset + len(page) < count:
            next_offset = offset + _PAGE
    return next_offset


def forget_foreign_tasks(connection: Connection) -> None:
    """Remove the tasks that no foreign worker has ended for a day. (TIME, HGETALL; HDEL)"""
    time, flat = connection.execute([TIME, ("HGETALL", keys.FOREIGN_TASKS)])
    oldest_ms = parse_time_ms(time) - FOREIGN_MS
    old = [base for base, ended in parse_pairs(flat).items() if int(ended) < oldest_ms]
    if old:
        connection.call("HDEL", keys.FOREIGN_TASKS, *old)


def count_waiting_workflows(connection: Connection, bases: Sequence[str]) -> dict[str, int]:
    """Return how many workflows wait for each of these tasks, items with their outermost one, by name: of the
    thousand attempts that wait longest. (ZRANGE)"""
    replies = connection.execute([("ZRANGE", keys.unclaimed(base), 0, _MOST_COUNTED - 1) for base in bases])
    return {
        base: len({root_workflow(keys.parse_attempt_member(member.decode())[0]) for member in members})
        for base, members in zip(bases, replies, strict=True)
    }


def find_over(connection: Connection, members: Sequence[str]) -> list[str]:
    """Return those of these attempts that are over. A current one whose start-task is lost stays in the
    index, so that people see that it waits. (HGET)"""
    ids = [keys.parse_attempt_member(member) for member in members]
    tasks = [
        events.StartTask(workflow, "", "", index, None, None, attempt, run=run)
        for workflow, index, attempt, run in ids
    ]
    current = are_current(connection, tasks)
    return [member for member, is_current in zip(members, current, strict=True) if not is_current]
