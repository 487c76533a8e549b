"""Moves start-tasks to where the claims want them: between the bus and the queues of groups.

    move_unclaimed   from the bus to a queue, when a group has claimed a task that waits
    sort_queues      from a queue to another one, or back to the bus, when the group no longer claims a task
    route_strays     to either of them, if no lifecycle of this version has routed the start-task

Each is done in transactions that watch the version of the claims, and change it: so of two that move the
same tasks, one is refused and reads again. A moved task may have ended meanwhile. So the queue gets a mark,
and the workers of the group check its tasks before they begin them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from lfr import event_fields, events
from lfr.event_fields import Malformed
from lfr.step_options import is_for_lifecycles
from lfr.store import keys
from lfr.store.queues.claims import covers, new_version_command
from lfr.store.queues.routes import OWN_GROUPS, RouteCache, Routes
from lfr.store.queues.unclaimed import FOREIGN_MS, find_over
from lfr.store.redis.connection import Command, Connection
from lfr.store.redis.pipeline import Pipeline
from lfr.store.redis.transaction import retry_until_committed
from lfr.store.stream.entries import (
    ConsumerId,
    Entry,
    acknowledge_command,
    entry_bytes,
    parse_entries,
    settle_commands,
)
from lfr.store.stream.groups import call_group, read_groups
from lfr.store.stream.read_size import MAX_READ_BYTES, ReadSize
from lfr.store.workflows.attempt_status import are_current
from lfr.tasks.catalogue import WAIT_PREFIX
from lfr.values.stream_id import StreamId
from lfr.values.times import format_timestamp

_CHUNK = 200
"""How many tasks are moved in one transaction."""

_SEARCH_PAGE = 200
_MOST_PAGES = 50
"""How many entries of the bus are read at once, and how often, in search of a start-task behind the time at
which it was indexed. What is not found by then is no longer on the bus."""


def move_unclaimed(connection: Connection, route_cache: RouteCache, claims: Sequence[str]) -> int:
    """Move the tasks that wait on the bus for one of these claims into the queue of whoever has claimed them.
    Return how many were moved.

    What another worker has taken stays where it is, see `_find_foreign_work`. (SMEMBERS, ZRANGE, XRANGE,
    XPENDING; MULTI/EXEC)
    """
    names = [name.decode() for name in connection.call("SMEMBERS", keys.UNCLAIMED)]
    moved = 0
    for base in names:
        if any(covers(claim, base) for claim in claims):
            moved += _move_tasks(connection, route_cache, base)
    return moved


def _move_tasks(connection: Connection, route_cache: RouteCache, base: str) -> int:
    """Move the waiting tasks of one name, chunk by chunk. Return how many were moved."""
    moved = offset = 0

    def attempt() -> tuple[list[Command] | None, tuple[int, int]]:
        routes = route_cache.watch(connection)
        group = routes.claims.group_of(base)
        if group is None:
            return None, (0, 0)
        flat = connection.call("ZRANGE", keys.unclaimed(base), offset, offset + _CHUNK - 1, "WITHSCORES")
        started_ms = {
            member.decode(): int(float(score)) for member, score in zip(flat[::2], flat[1::2], strict=True)
        }
        entries, is_cut = _find_entries(connection, route_cache.bus, started_ms)
        if is_cut:
            started_ms = {member: started_ms[member] for member in entries}
        foreign_ids = _find_foreign_work(connection, route_cache, routes.now_ms, group, base, entries)
        movable = {member: entry for member, entry in entries.items() if entry.id not in foreign_ids}
        over = find_over(connection, [member for member in started_ms if member not in entries])
        stay_count = len(started_ms) - len(movable) - len(over)
        if not movable and not over:
            return None, (0, stay_count)
        commands: list[Command] = []
        for member, entry in movable.items():
            fields = _fields_without(entry, events.CLAIMED)
            commands += routes.task_commands(base, fields, member)
        commands.append(("ZREM", keys.unclaimed(base), *movable, *over))
        if movable:
            commands.append(("XDEL", route_cache.bus, *(entry.id for entry in movable.values())))
            commands += routes.stale_commands([base])
        return [*commands, new_version_command()], (len(movable), stay_count)

    while True:
        count, stay_count = retry_until_committed(connection, attempt)
        moved += count
        offset += stay_count
        if not count:
            return moved


def _find_entries(
    connection: Connection, bus: str, started_ms: Mapping[str, int]
) -> tuple[dict[str, Entry], bool]:
    """Return the start-tasks of these attempts on the bus, and whether they are only those that fit into one
    transaction. `started_ms` says when each was indexed: its entry id is no earlier. (XRANGE)"""
    entries: dict[str, Entry] = {}
    missing = dict(started_ms)
    size, total_bytes = ReadSize(), 0
    size.look_ahead(connection, [bus])
    while missing:
        start = f"{min(missing.values())}-0"
        before = len(entries)
        for _ in range(_MOST_PAGES):
            count = size.next_count(_SEARCH_PAGE)
            page = parse_entries(connection.call("XRANGE", bus, start, "+", "COUNT", count), bus)
            size.note_entries(page)
            for entry in page:
                member = _member(entry)
                if member in missing:
                    del missing[member]
                    entries[member] = entry
                    total_bytes += entry_bytes(entry)
                    if total_bytes > MAX_READ_BYTES:
                        return entries, bool(missing)
            is_behind = page and missing and StreamId.parse(page[-1].id).ms < min(missing.values())
            if not missing or len(page) < count or is_behind:
                break
            start = f"({page[-1].id}"
        if len(entries) == before:
            earliest = min(missing, key=lambda member: missing[member])
            del missing[earliest]
    return entries, False


def _find_foreign_work(
    connection: Connection,
    route_cache: RouteCache,
    now_ms: int,
    owner: str,
    base: str,
    entries: Mapping[str, Entry],
) -> set[str]:
    """Return the ids of the entries that another worker works on: they are pending on the bus in the group

    - of `owner`, the group that has claimed the task, whose workers of a version without queues read the bus.
      They renew what they work on: what is older than the lease is nobody's.
    - of a foreign worker, if such a one has ended a task of this name within a day, and has taken the
      entry within the last `receipts.forget` seconds.

    The role simulate gives way. (XINFO, HGET, XPENDING)
    """
    ended_ms = connection.call("HGET", keys.FOREIGN_TASKS, base)
    is_done_elsewhere = ended_ms is not None and int(ended_ms) > now_ms - FOREIGN_MS
    ids = [entry.id for entry in entries.values()]
    commands: list[Command] = []
    most_ms: list[int] = []  # the idle time from which on an entry is nobody's
    for group in read_groups(connection, route_cache.bus):
        renews = group.name == owner
        if group.pending and (renews or (is_done_elsewhere and group.name not in OWN_GROUPS)):
            commands += [("XPENDING", route_cache.bus, group.raw_name, id, id, 1) for id in ids]
            most_ms += [route_cache.lease_ms if renews else route_cache.forget_ms] * len(ids)
    replies = connection.execute(commands, keep_errors=True)
    return {
        id.decode()
        for rows, limit in zip(replies, most_ms, strict=True)
        if isinstance(rows, list)
        for id, _, idle_ms, _ in rows
        if idle_ms < limit
    }


def sort_queues(connection: Connection, route_cache: RouteCache) -> int:
    """Move the tasks that their groups no longer claim out of the queues of these groups, and remove the
    queues of groups that claim nothing any more. Return how many tasks were moved. (SMEMBERS, XRANGE;
    MULTI/EXEC; SREM, DEL)"""
    groups = [group.decode() for group in connection.call("SMEMBERS", keys.UNSORTED)]
    moved = sum(_sort_queue(connection, route_cache, group) for group in groups)
    for group in groups:
        _finish_sorting(connection, group)
    return moved


def _sort_queue(connection: Connection, route_cache: RouteCache, group: str) -> int:
    """Move tasks, page by page. One that is done stays until its receipt is logged; one whose attempt is over
    is settled: on the bus, somebody would do it again."""
    queue = ConsumerId(keys.queue(group), group, "")
    after, moved, size = "-", 0, ReadSize()

    def attempt() -> tuple[list[Command] | None, tuple[str, int]]:
        routes = route_cache.watch(connection)
        count = size.next_count(_CHUNK)
        page = parse_entries(
            connection.call("XRANGE", queue.stream, after, "+", "COUNT", count), queue.stream
        )
        size.note_entries(page)
        if not page:
            return None, ("", 0)
        last = f"({page[-1].id}"
        tasks = _find_misplaced(connection, routes, queue, page)
        ids = [entry.id for entry, _ in tasks]
        current = are_current(connection, [task for _, task in tasks], ids)
        moving = [each for each, is_current in zip(tasks, current, strict=True) if is_current]
        over_ids = [entry.id for (entry, _), is_current in zip(tasks, current, strict=True) if not is_current]
        at = format_timestamp(routes.now_ms / 1000)
        commands = settle_commands(queue, over_ids, at, has_receipts=routes.has_receipts)
        if not moving:
            return commands or None, (last, 0)
        for entry, task in moving:
            member = keys.attempt_member(*task.attempt_id)
            fields = _whole_fields(connection, routes, entry, task)
            commands += routes.task_commands(task.base, fields, member)
        commands += routes.stale_commands(sorted({task.base for _, task in moving}))
        ids = [entry.id for entry, _ in moving]
        commands += [acknowledge_command(queue, ids), ("XDEL", queue.stream, *ids), new_version_command()]
        return commands, (last, len(ids))

    while after:
        after, count = retry_until_committed(connection, attempt)
        moved += count
    return moved


def _find_misplaced(
    connection: Connection, routes: Routes, queue: ConsumerId, page: Sequence[Entry]
) -> list[tuple[Entry, events.StartTask]]:
    """Return the start-tasks of a page of a queue that its group does not claim, without those that are done.
    (XINFO, XPENDING)"""
    tasks = [
        (entry, task)
        for entry in page
        if (task := _parse_start(entry)) is not None and routes.claims.group_of(task.base) != queue.group
    ]
    delivered = [each for each in read_groups(connection, queue.stream) if each.name == queue.group]
    if not tasks or not delivered:
        return tasks
    last_delivered = delivered[0].last_delivered
    span = tasks[0][0].id, tasks[-1][0].id
    rows = call_group(connection, "XPENDING", queue.stream, queue.group, *span, len(page))
    pending = {row[0].decode() for row in rows}
    return [
        (entry, task)
        for entry, task in tasks
        if entry.id in pending or StreamId.parse(entry.id) > last_delivered
    ]


def _finish_sorting(connection: Connection, group: str) -> None:
    """Note that a queue has been sorted. If its group claims nothing any more, remove the queue and its mark
    once it is empty; until then it remains to be sorted. (WATCH, HVALS, XLEN; SREM, DEL)"""

    def attempt() -> tuple[list[Command] | None, None]:
        queue = keys.queue(group)
        _, groups, count = connection.execute(
            [("WATCH", keys.CLAIMS_VERSION, queue), ("HVALS", keys.CLAIMS), ("XLEN", queue)]
        )
        if group.encode() in groups:
            return [("SREM", keys.UNSORTED, group)], None
        if count:
            return None, None
        return [("SREM", keys.UNSORTED, group), ("DEL", queue, keys.stale_mark(group))], None

    retry_until_committed(connection, attempt)


def route_strays(connection: Connection, route_cache: RouteCache, entries: Sequence[Entry]) -> int:
    """Route start-tasks on the bus that no lifecycle of this version has routed: index those that nobody has
    claimed, and move the others into their queues. Return how many were routed.

    They come from a version of lfr without queues, or from a foreign program. One that is gone, or whose
    attempt is over, stays as it is. (WATCH, XRANGE, ZSCORE, HGET)
    """
    strays = {entry.id: entry for entry in entries if _is_stray(entry)}
    if not strays:
        return 0

    def attempt() -> tuple[list[Command] | None, int]:
        routes = route_cache.watch(connection)
        present = _read_present(connection, route_cache.bus, strays)
        tasks = {id: task for id in present if (task := _parse_start(strays[id])) is not None}
        current = are_current(connection, list(tasks.values()), list(tasks))
        pipeline = Pipeline(connection)
        indexed = {
            id: pipeline.add("ZSCORE", keys.unclaimed(task.base), keys.attempt_member(*task.attempt_id))
            for (id, task), is_current in zip(tasks.items(), current, strict=True)
            if is_current
        }
        pipeline.send()
        commands: list[Command] = []
        moved: list[str] = []
        bases: set[str] = set()
        to_route = [id for id, score in indexed.items() if score.value is None]
        for id in to_route:
            task, entry = tasks[id], strays[id]
            member = keys.attempt_member(*task.attempt_id)
            if routes.claims.group_of(task.base) is None:
                commands.append(("ZADD", keys.unclaimed(task.base), StreamId.parse(id).ms, member))
                commands.append(("SADD", keys.UNCLAIMED, task.base))
            else:
                fields = _fields_without(entry)
                commands += routes.task_commands(task.base, fields, member)
                moved.append(id)
                bases.add(task.base)
        if moved:
            commands.append(("XDEL", route_cache.bus, *moved))
            commands += routes.stale_commands(sorted(bases))
        return [*commands, new_version_command()] if commands else None, len(to_route)

    return retry_until_committed(connection, attempt)


def _read_present(connection: Connection, bus: str, entries: Mapping[str, Entry]) -> Iterator[str]:
    replies = connection.execute([("XRANGE", bus, id, id) for id in entries])
    return (id for id, reply in zip(entries, replies, strict=True) if reply)


def _is_stray(entry: Entry) -> bool:
    if event_fields.peek_kind(entry.fields) != events.START_TASK or events.CLAIMED.encode() in entry.fields:
        return False
    task = _parse_start(entry)
    return task is not None and not is_for_lifecycles(task.base) and not task.base.startswith(WAIT_PREFIX)


def _parse_start(entry: Entry) -> events.StartTask | None:
    """Return the start-task of an entry without its input and parameters, or None if it is none."""
    head = {name: value for name, value in entry.fields.items() if name not in (b"input", b"parameters")}
    if event_fields.peek_kind(head) != events.START_TASK:
        return None
    try:
        return events.parse_start_task(event_fields.decode(head))
    except Malformed:
        return None


def _member(entry: Entry) -> str:
    task = _parse_start(entry)
    return "" if task is None else keys.attempt_member(*task.attempt_id)


def _fields_without(entry: Entry, *names: str) -> list[bytes]:
    left_out = {name.encode() for name in names}
    return [part for name, value in entry.fields.items() if name not in left_out for part in (name, value)]


def _whole_fields(
    connection: Connection, routes: Routes, entry: Entry, task: events.StartTask
) -> list[bytes]:
    """Return the fields of a start-task, with its input if this goes by pointer no more. (HGET)"""
    pointer = task.input_from
    if pointer is None or routes.goes_by_pointer(task.base, pointer.size):
        return _fields_without(entry)
    encoded = connection.call("HGET", *pointer)
    if encoded is None:  # the worker fails the task
        return _fields_without(entry)
    return [*_fields_without(entry, "input_from"), b"input", encoded]


def clear_stale_mark(connection: Connection, group: str) -> None:
    """Remove the mark of a queue that says that its tasks are to be checked, if all its entries have been
    delivered: those were checked, and later ones are not stale. (WATCH, XINFO, XREVRANGE; DEL)"""
    queue, mark = keys.queue(group), keys.stale_mark(group)
    _, newest = connection.execute([("WATCH", mark), ("XREVRANGE", queue, "+", "-", "COUNT", 1)])
    delivered = [each.last_delivered for each in read_groups(connection, queue) if each.name == group]
    last_id = StreamId.parse(newest[0][0].decode()) if newest else StreamId(0, 0)
    if delivered and last_id <= delivered[0]:
        connection.transact([("DEL", mark)])
    else:
        connection.unwatch()


def put_back(connection: Connection, consumer: ConsumerId, entries: Sequence[Entry]) -> None:
    """Put entries that a consumer has read at the end of its queue again, those that are still in the queue,
    so that another consumer of the group reads them. (WATCH, XRANGE; XADD, XACK, XDEL)"""

    def attempt() -> tuple[list[Command] | None, None]:
        connection.execute([("WATCH", keys.CLAIMS_VERSION)])
        present = set(_read_present(connection, consumer.stream, {entry.id: entry for entry in entries}))
        ids = [entry.id for entry in entries if entry.id in present]
        if not ids:
            return None, None
        commands: list[Command] = [
            ("XADD", consumer.stream, "*", *_fields_without(entry))
            for entry in entries
            if entry.id in present
        ]
        return [*commands, acknowledge_command(consumer, ids), ("XDEL", consumer.stream, *ids)], None

    retry_until_committed(connection, attempt)
