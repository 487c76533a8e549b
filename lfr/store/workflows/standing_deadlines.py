"""Deadlines that stand still while a pause says so: those of attempts, of event waits, and of workflows.

A deadline that comes meanwhile is put aside instead of being fired. The resume puts it back, and moves all
deadlines in its scope by the time for which they have stood still, in the transaction that ends the pause. A
delay (`wait:delay`) does not stand still: it is no limit of anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from lfr.engine.pauses import Pause, Pauses, PauseScope
from lfr.item_ids import root_workflow
from lfr.store import keys
from lfr.store.queues.pauses import load_flow_names
from lfr.store.redis.connection import Command, Connection
from lfr.store.stream.entries import flatten_pairs
from lfr.store.waits.registry import watch_waits
from lfr.store.workflows.start_events import parse_deadline
from lfr.tasks.wait_spec import encode_wait

_SCAN_COUNT: Final = 2000

Members = Mapping[str, int]
"""Members of a zset of deadlines -> when they are due, in milliseconds since the epoch."""


class _Change(NamedTuple):
    """What a resume does to a deadline that `key` holds: it is due at `due_ms`, in `new_key`."""

    key: str
    new_key: str
    member: str
    due_ms: int


def find_standing(connection: Connection, pauses: Pauses, workflows: Sequence[str]) -> set[str]:
    """Return those of these workflows, items among them, whose deadlines stand still. (HGET)"""
    if not any(pause.stops_deadlines for pause in pauses):
        return set()
    names = load_flow_names(connection, pauses, workflows)
    return {id for id in workflows if _standing_pauses(pauses, id, names.get(id, ()))}


def _standing_pauses(pauses: Pauses, id: str, names: Sequence[str]) -> list[Pause]:
    return [pause for pause in pauses.of_workflow(id, names) if pause.stops_deadlines]


def put_aside(connection: Connection, key: str, members: Sequence[str]) -> list[Command]:
    """Return the commands that put due deadlines aside. (ZSCORE; ZREM, ZADD)"""
    if not members:
        return []
    scores = connection.execute([("ZSCORE", key, member) for member in members])
    pairs = [(score, member) for score, member in zip(scores, members, strict=True) if score is not None]
    if not pairs:
        return []
    return [("ZREM", key, *members), ("ZADD", keys.standing(key), *flatten_pairs(pairs))]


def move_standing(connection: Connection, ended: Pause, pauses: Pauses, now_ms: int) -> list[Command]:
    """Return the commands that move the deadlines which have stood still until now, because this pause ends.
    `pauses` are all others. Watches the waits that it changes. (ZSCAN, HGET; ZADD, ZREM, SET)"""
    if not ended.stops_deadlines:
        return []
    commands: list[Command] = []
    for key, begin_of in ((keys.DEADLINES, _deadline_begin), (keys.WORKFLOW_DEADLINES, None)):
        for changes in _changes(connection, key, ended, pauses, now_ms, begin_of):
            commands += _move_commands(changes)
    for changes in _changes(connection, keys.TIMERS, ended, pauses, now_ms, None):
        waits = watch_waits(connection, [change.member for change in changes])
        moved = [
            change
            for change in changes
            if (wait := waits[change.member]) is not None and (wait.pattern or wait.latch)
        ]
        commands += _move_commands(moved)
        for change in moved:
            wait = waits[change.member]
            assert wait is not None
            key = keys.wait(*wait.task.attempt_id)
            commands.append(("SET", key, encode_wait(replace(wait, due_ms=change.due_ms))))
    return commands


def _deadline_begin(member: str, due_ms: int) -> int:
    return due_ms - round(1000 * float(parse_deadline(member)[2]))


def _changes(
    connection: Connection,
    zset: str,
    ended: Pause,
    pauses: Pauses,
    now_ms: int,
    begin_of: Callable[[str, int], int] | None,
) -> Iterator[list[_Change]]:
    """Yield, in portions, the changes of the deadlines in one zset, and of those of it that stand aside."""
    for key in (zset, keys.standing(zset)):
        for members in _scan(connection, key, ended):
            ids = {member: member.split(" ")[0] for member in members}
            begins = _starts_of(connection, ids.values()) if zset == keys.WORKFLOW_DEADLINES else {}
            all_pauses = replace(pauses, flows={**pauses.flows, **_own_flow(ended)})
            names = load_flow_names(connection, all_pauses, list(ids.values()))
            changes: list[_Change] = []
            for member, due_ms in members.items():
                id = ids[member]
                if not _is_in_scope(ended, id, names.get(id, ())):
                    continue
                others = _standing_pauses(pauses, id, names.get(id, ()))
                begin_ms = begin_of(member, due_ms) if begin_of else begins.get(id, 0)
                until_ms = min([now_ms, *(other.since_ms for other in others)])
                new_ms = due_ms + max(0, until_ms - max(ended.since_ms, begin_ms))
                changes.append(_Change(key, key if others else zset, member, new_ms))
            yield changes


def _own_flow(pause: Pause) -> dict[str, Pause]:
    return {pause.name: pause} if pause.scope is PauseScope.FLOW else {}


def _is_in_scope(pause: Pause, id: str, flow_names: Sequence[str]) -> bool:
    match pause.scope:
        case PauseScope.ALL:
            return True
        case PauseScope.FLOW:
            return pause.name in flow_names
        case _:
            return pause.name == root_workflow(id)


def _scan(connection: Connection, key: str, pause: Pause) -> Iterator[Members]:
    """Yield the members of a zset of deadlines, in portions; for a workflow, only what may be its own."""
    pattern = f"{pause.name}*" if pause.scope is PauseScope.WORKFLOW else "*"
    cursor = "0"
    while True:
        reply = connection.call("ZSCAN", key, cursor, "MATCH", pattern, "COUNT", _SCAN_COUNT)
        cursor, flat = reply[0].decode(), reply[1]
        if flat:
            yield {
                member.decode(): int(float(score))
                for member, score in zip(flat[::2], flat[1::2], strict=True)
            }
        if cursor == "0":
            return


def _starts_of(connection: Connection, workflows: Iterable[str]) -> dict[str, int]:
    """Return when these workflows started, in milliseconds since the epoch. (HGET)"""
    ids = sorted(set(workflows))
    replies = connection.execute([("HGET", id, "started") for id in ids], keep_errors=True)
    return {id: int(reply) for id, reply in zip(ids, replies, strict=True) if isinstance(reply, bytes)}


def _move_commands(changes: Sequence[_Change]) -> list[Command]:
    """Return the commands that change deadlines, but set none that is gone meanwhile."""
    commands: list[Command] = []
    for key, new_key, member, due_ms in changes:
        if key == new_key:
            commands.append(("ZADD", key, "XX", due_ms, member))
        else:  # a workflow that was restarted has a new one, which stays
            commands += (("ZREM", key, member), ("ZADD", new_key, "NX", due_ms, member))
    return commands
