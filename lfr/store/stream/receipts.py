"""Receipts: what each is for, and the clearing of the stream once nobody needs an event any more.

An event and its receipt may go when every group has read past both of them and none has them pending:
then no reader can miss them. A group counts as long as one of its consumers has given a sign of life
within `receipts.forget` seconds; entries older than that hold nothing back by being pending.

The same holds for what has grown old and to which nobody has given a receipt: users' own events, and tasks
that no worker has taken before they counted no more.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple, TypeAlias

from lfr import events
from lfr.store import keys
from lfr.store.redis.connection import TIME, Command, Connection, Reply, parse_time_ms, read_time_ms
from lfr.store.stream.entries import (
    ConsumerId,
    Entry,
    acknowledge_command,
    check_reply,
    parse_entries,
    parse_pairs,
)
from lfr.store.workflows.attempt_status import are_current

_MOST_AT_ONCE = 5000
"""How many logged receipts are looked at in one go."""

_MOST_ROUNDS = 20

_PAGE = 1000

_MOST_LOOKED_AT = 200
"""How many of the oldest entries are looked at in one go: they are read whole."""

Place: TypeAlias = tuple[int, int]
"""An entry's id as numbers, so that ids can be compared."""


class Logged(NamedTuple):
    """A receipt that has been logged, and the event that it is for, by their ids."""

    receipt: str
    target: str


def read_targets(connection: Connection, stream: str, ids: Sequence[str]) -> list[Entry]:
    """Those events with these ids that are still on the stream. (XRANGE)"""
    replies = connection.execute([("XRANGE", stream, id, id) for id in ids], keep_errors=True)
    return [entry for reply in replies if isinstance(reply, list) for entry in parse_entries(reply)]


def remember_logged(connection: Connection, consumer: ConsumerId, logged: Sequence[Logged]) -> None:
    """These have been logged: acknowledge them, and note that they are to be cleared. One transaction."""
    scored: list[str | int] = []
    for each in logged:
        scored += (_place(each.receipt)[0], " ".join(each))
    connection.transact(
        [
            ("ZADD", keys.LOGGED_RECEIPTS, *scored),
            acknowledge_command(consumer, [each.receipt for each in logged]),
        ]
    )


def note_unclaimed(connection: Connection, stream: str, after: str, retain_ms: int) -> str:
    """Note that what is older than `retain_ms` and nobody will give a receipt to is to be cleared: users'
    events, and start-tasks of attempts that count no more.

    Looks at some of the entries behind the id `after`; the id of the last of these, or `after` if there is
    none. (TIME, XRANGE; HGET; ZADD)
    """
    newest_ms = read_time_ms(connection) - retain_ms
    if newest_ms <= _place(after)[0]:
        return after
    entries = parse_entries(
        connection.execute([("XRANGE", stream, f"({after}", newest_ms, "COUNT", _MOST_LOOKED_AT)])[0]
    )
    kinds = {entry.id: events.peek_kind(entry.fields) for entry in entries}
    old = [id for id, kind in kinds.items() if kind is not None and kind not in events.OWN_KINDS]
    scored: list[str | int] = []
    for id in (*old, *_unwanted(connection, entries)):
        scored += (_place(id)[0], f"{id} {id}")
    if scored:
        connection.execute([("ZADD", keys.LOGGED_RECEIPTS, *scored)])
    return entries[-1].id if entries else after


def _unwanted(connection: Connection, entries: Sequence[Entry]) -> list[str]:
    """The ids of those entries that start attempts which count no more. (HGET)"""
    tasks: dict[str, events.StartTask] = {}
    for entry in entries:
        if events.is_kind(entry.fields, events.START_TASK):
            with suppress(events.Malformed):  # the lifecycle buries it
                tasks[entry.id] = events.parse_start_task(events.decode(entry.fields))
    count = are_current(connection, list(tasks.values()))
    return [id for id, counts in zip(tasks, count, strict=True) if not counts]


class Clearing:
    """Clears the stream. Remembers when it first saw each group, for those that never had a consumer."""

    def __init__(self, consumer: ConsumerId, forget_seconds: float) -> None:
        self._consumer_id = consumer
        self._forget_seconds = forget_seconds
        self._first_seen: dict[bytes, float] = {}

    def clear(self, connection: Connection) -> None:
        """Clear what nobody needs any more, so much at most that a pass does not take minutes.

        (MULTI/EXEC: XDEL, ZREM)
        """
        for _ in range(_MOST_ROUNDS):
            members = connection.execute([("ZRANGE", keys.LOGGED_RECEIPTS, 0, _MOST_AT_ONCE - 1)])[0]
            logged = [Logged(*member.decode().split(" ")) for member in members]
            free = self._free(connection, logged) if logged else []
            if not free:
                return
            ids = list(dict.fromkeys(id for each in free for id in each))
            gone = (" ".join(each) for each in free)
            connection.transact(
                [("XDEL", self._consumer_id.stream, *ids), ("ZREM", keys.LOGGED_RECEIPTS, *gone)]
            )
            if len(members) < _MOST_AT_ONCE:
                return

    def _free(self, connection: Connection, logged: Sequence[Logged]) -> list[Logged]:
        """Those of which every group that counts has both entries behind it."""
        groups, now_ms = self._groups_that_count(connection)
        past = [
            each for each in logged if all(_place(id) <= group.read_to for group in groups for id in each)
        ]
        oldest_ms = now_ms - int(self._forget_seconds * 1000)
        pending: set[str] = set()
        for group in groups:
            if past and group.pending:
                pending |= self._pending(connection, group.name, past, oldest_ms)
        return [each for each in past if pending.isdisjoint(each)]

    def _groups_that_count(self, connection: Connection) -> tuple[list[Group], int]:
        """All groups but our own that are not forgotten, and the time of Redis. (XINFO, TIME)"""
        about = [("XINFO", "GROUPS", self._consumer_id.stream), TIME]
        reply, time_reply = connection.execute(about, keep_errors=True)
        groups = [
            group
            for group in map(_group, check_reply(reply))
            if group.name != self._consumer_id.group.encode()
        ]
        ask = [("XINFO", "CONSUMERS", self._consumer_id.stream, group.name) for group in groups]
        consumers = connection.execute(ask, keep_errors=True) if ask else []
        self._first_seen = {
            group.name: self._first_seen.get(group.name, time.monotonic()) for group in groups
        }
        now_ms = parse_time_ms(time_reply)
        return [
            group for group, them in zip(groups, consumers, strict=True) if self._counts(group, them)
        ], now_ms

    def _counts(self, group: Group, consumers: Reply) -> bool:
        seen = self._first_seen[group.name]
        if not isinstance(consumers, list) or not consumers:
            return time.monotonic() - seen < self._forget_seconds
        idle_ms = min(_fields(consumer)["idle"] for consumer in consumers)
        return bool(idle_ms < self._forget_seconds * 1000)

    def _pending(
        self, connection: Connection, group: bytes, past: Sequence[Logged], oldest_ms: int
    ) -> set[str]:
        """Which entries between the first and the last of `past` a group has pending. (XPENDING)"""
        places = [_place(id) for each in past for id in each]
        start = max(min(places), (oldest_ms, 0))
        end = "{}-{}".format(*max(places))
        found: set[str] = set()
        low = "{}-{}".format(*start)
        while True:
            command: Command = ("XPENDING", self._consumer_id.stream, group, low, end, _PAGE)
            page = check_reply(connection.execute([command], keep_errors=True)[0])
            found.update(row[0].decode() for row in page)
            if len(page) < _PAGE:
                return found
            low = f"({page[-1][0].decode()}"


class Group(NamedTuple):
    """A consumer group: up to which entry it has read, how many it has pending. Its name may be no text."""

    name: bytes
    read_to: Place
    pending: int


def _group(reply: Reply) -> Group:
    fields = _fields(reply)
    return Group(fields["name"], _place(fields["last-delivered-id"].decode()), fields["pending"])


def _fields(flat: Sequence[Reply]) -> dict[str, Reply]:
    return {name.decode(): value for name, value in parse_pairs(flat).items()}


def _place(id: str) -> Place:
    milliseconds, _, sequence = id.partition("-")
    return int(milliseconds), int(sequence or 0)
