"""Which tasks on the bus somebody does: so the role simulate lets them be.

A group of lfr's own workers that does a task has claimed it. A foreign worker claims nothing. So it counts as
doing a task if its group reads the bus, and

- such a worker has ended a task of this name within a day, or
- the group has not read this start-task yet, or
- has it pending: it works on it, or will.

What it has read and acknowledged is not for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lfr import events
from lfr.store.queues.routes import Routes
from lfr.store.queues.unclaimed import FOREIGN_MS
from lfr.store.queues.workforce import Workforce, read_workforce
from lfr.store.redis.connection import Command, Connection
from lfr.values.stream_id import StreamId


def find_served(
    connection: Connection, routes: Routes, tasks: Mapping[str, events.StartTask], forget_ms: int
) -> dict[str, str]:
    """Return which of these start-tasks on the bus somebody does, by entry id: the name of the group.

    `routes` is watched, so that a claim that comes later refuses the transaction. What a foreign group has
    pending for longer than `forget_ms` it does no more. (XINFO, HGETALL, XPENDING)
    """
    served = {
        id: owner for id, task in tasks.items() if (owner := routes.claims.group_of(task.base)) is not None
    }
    others = {id: task for id, task in tasks.items() if id not in served}
    if not others:
        return served
    workforce = read_workforce(connection, routes.bus)
    readers = workforce.living_readers
    if readers:
        name = readers[0].name
        served |= {id: name for id, task in others.items() if _is_done_elsewhere(workforce, task.base)}
    commands: list[Command] = []
    questions: list[tuple[str, str]] = []
    for group in readers:
        for id in others.keys() - served.keys():
            if StreamId.parse(id) > group.last_delivered:
                served[id] = group.name
            else:
                commands.append(("XPENDING", routes.bus, group.raw_name, id, id, 1))
                questions.append((id, group.name))
    replies = connection.execute(commands, keep_errors=True)
    for (id, name), rows in zip(questions, replies, strict=True):
        if isinstance(rows, list) and any(idle_ms < forget_ms for _, _, idle_ms, _ in rows):
            served[id] = name
    return served


def find_present(connection: Connection, stream: str, ids: Sequence[str]) -> set[str]:
    """Return which of these entries are on a stream. (XRANGE)"""
    replies = connection.execute([("XRANGE", stream, id, id, "COUNT", 1) for id in ids])
    return {id for id, reply in zip(ids, replies, strict=True) if reply}


def _is_done_elsewhere(workforce: Workforce, base: str) -> bool:
    ended_ms = workforce.foreign_tasks.get(base)
    return ended_ms is not None and ended_ms > workforce.now_ms - FOREIGN_MS
