"""Routes: on which stream an event goes, as claims and readers require it.

    start-task, cancel-task and end-task of steps with children   `workflows:ends`: only lifecycles read it
    start-task of a claimed task             the queue of its group
    start-task of a `wait:` task             the bus: its order among events counts
    start-task of any other task             the bus, and the index of unclaimed tasks
    end-task of lfr's own workers            `workflows:ends`
    news of workflows, cancel-task           the bus

While a foreign group reads the bus, events that would pass it by are copied to it. A copy has the field
`claimed`, the group that does the task, or `copy_of`; lfr's own roles ignore it, except that they settle it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from lfr import event_fields, events
from lfr.engine.pauses import Pauses
from lfr.item_ids import is_item
from lfr.step_options import is_for_lifecycles
from lfr.store import keys
from lfr.store.queues.claims import Claims, parse_claims
from lfr.store.queues.pauses import parse_pauses
from lfr.store.redis.connection import TIME, Command, Connection, Reply, Store, parse_time_ms
from lfr.store.redis.pipeline import Pipeline, ReplyHandle
from lfr.store.stream.entries import Entry, append_command, flatten_pairs, parse_pairs
from lfr.tasks.catalogue import REQUEST_PREFIX, WAIT_PREFIX
from lfr.trace_context import TraceContext, trace_of
from lfr.values.json import Json, encode_json
from lfr.values.times import format_timestamp

OWN_GROUPS: Final = frozenset({"lifecycle", "wait", "starting", "notify", "traces", "__receipt__"})
"""The groups in which roles of lfr read the bus."""

_LISTENER_CHECK_SECONDS: Final = 5.0
"""How often to look whether a foreign group still has a consumer that is active."""

_NULL: Final = "null"


@dataclass(slots=True)
class Routes:
    """Where events go at one time; it stays as it is. A transaction that counts on it watches CLAIMS_VERSION.

    now_ms         that time, by the clock of Redis, in milliseconds since the epoch
    bus            the key of the stream that all may read
    pauses         what is paused
    has_listeners  whether a foreign group reads the bus
    has_receipts   whether a receipts role runs
    large_bytes    the size from which on an input goes by pointer; None: none does
    listeners_read_pointers  whether the workers of all foreign groups read pointers
    has_traces     whether start-tasks of every workflow say which trace they belong to
    has_exports    whether a traces role runs
    """

    now_ms: int
    bus: str
    claims: Claims = field(default_factory=Claims)
    pauses: Pauses = field(default_factory=Pauses)
    has_listeners: bool = False
    has_receipts: bool = False
    large_bytes: int | None = None
    listeners_read_pointers: bool = False
    has_traces: bool = False
    has_exports: bool = False

    def trace_of(self, workflow: str, run: str, traceparent: str) -> TraceContext | None:
        """Return the trace that start-tasks of a workflow name, see `lfr.trace_context.trace_of`; None: they
        name none."""
        return trace_of(workflow, run, traceparent) if self.has_traces or traceparent else None

    def goes_by_pointer(self, base: str, size: int) -> bool:
        """Return whether an input of this many bytes goes by pointer to a task. It does to lfr's own
        workers, and to foreign ones if all that read the bus can read pointers. While none reads it, a task
        that nobody has claimed may be for a foreign worker that is to come."""
        if self.large_bytes is None or size < self.large_bytes or is_for_lifecycles(base):
            return False
        if self.has_listeners:
            return self.listeners_read_pointers
        return base.startswith(WAIT_PREFIX) or self.claims.group_of(base) is not None

    def start_task_commands(self, fields: Mapping[str, Json]) -> list[Command]:
        """Return the commands that append a start-task event with these fields, which include `base`, and
        index it if nobody has claimed the task. They delete an out-of-band output that another attempt has
        left, if the task is one that may have such an output. (DEL; XADD; ZADD, SADD)"""
        base = str(fields["base"])
        event = event_fields.encode(events.START_TASK, format_timestamp(self.now_ms / 1000), fields)
        if is_for_lifecycles(base):
            copy = [("XADD", self.bus, "*", *event, events.COPY_OF, _NULL)] if self.has_listeners else []
            return [("XADD", keys.ENDS, "*", *event), *copy]
        if base.startswith(WAIT_PREFIX):
            return [("XADD", self.bus, "*", *event)]
        if self.claims.group_of(base) is not None and not base.startswith(REQUEST_PREFIX):
            return self.task_commands(base, event)
        output = keys.out_of_band_output(fields["workflow"], fields["index"])
        return [("DEL", output), *self.task_commands(base, event, _attempt_member(fields))]

    def task_commands(self, base: str, event: Sequence[str | bytes], member: str = "") -> list[Command]:
        """Return the commands that append a start-task with these encoded fields for a worker. `member`
        stands for its attempt in the index; it is not needed for a task that a group has claimed."""
        group = self.claims.group_of(base)
        if group is None:
            return [
                ("XADD", self.bus, "*", *event, events.CLAIMED, _NULL),
                ("ZADD", keys.unclaimed(base), self.now_ms, member),
                ("SADD", keys.UNCLAIMED, base),
            ]
        commands: list[Command] = [("XADD", keys.queue(group), "*", *event)]
        if self.has_listeners:
            commands.append(("XADD", self.bus, "*", *event, events.CLAIMED, encode_json(group)))
        return commands

    def over_commands(self, attempts: Sequence[tuple[str, events.AttemptId]]) -> list[Command]:
        """Return the commands that remove attempts that are over, each behind the `base` of its task, from
        the index of unclaimed tasks. (ZREM)"""
        return [
            ("ZREM", keys.unclaimed(base), keys.attempt_member(*attempt))
            for base, attempt in attempts
            if self.claims.group_of(base) is None
            and not is_for_lifecycles(base)
            and not base.startswith(WAIT_PREFIX)
        ]

    def stale_commands(self, bases: Sequence[str]) -> list[Command]:
        """Return the commands that note that start-tasks of these tasks may be in a queue although their
        attempt is over: then the workers of the group check each. (SET)"""
        groups = {group for base in bases if (group := self.claims.group_of(base)) is not None}
        return [("SET", keys.stale_mark(group), 1) for group in sorted(groups)]

    def copy_commands(self, ends: Iterable[Entry]) -> list[Command]:
        """Return the commands that copy end-tasks to the bus, those that are not there, if a foreign group
        reads it. (XADD)"""
        if not self.has_listeners:
            return []
        return [
            (
                "XADD",
                self.bus,
                "*",
                *flatten_pairs(entry.fields.items()),
                events.COPY_OF,
                encode_json(entry.id),
            )
            for entry in ends
            if entry.stream == keys.ENDS
        ]

    def state_commands(self, kind: str, at: str, workflow: str) -> list[Command]:
        """Return the commands that append the event that a workflow has entered a state. That of an item is
        for lifecycles, which collect its output. (XADD)"""
        values: dict[str, Json] = {"workflow": workflow}
        if not is_item(workflow) or kind == events.TERMINATED_WORKFLOW:
            return [self.bus_command(kind, at, values)]
        commands: list[Command] = [append_command(keys.ENDS, kind, at, values)]
        if self.has_listeners:
            commands.append(self.bus_command(kind, at, {**values, events.COPY_OF: None}))
        return commands

    def cancel_command(self, at: str, values: Mapping[str, Json]) -> Command:
        """Return the command that appends a cancel-task event with these fields, which include `base`. That
        of a call is for lifecycles, which terminate the child. (XADD)"""
        stream = keys.ENDS if is_for_lifecycles(str(values["base"])) else self.bus
        return append_command(stream, events.CANCEL_TASK, at, values)

    def bus_command(self, kind: str, at: str, values: Mapping[str, Json]) -> Command:
        """Return the command that appends an event that all may read to the bus. (XADD)"""
        return append_command(self.bus, kind, at, values)


def _attempt_member(fields: Mapping[str, Json]) -> str:
    return keys.attempt_member(fields["workflow"], fields["index"], fields["attempt"], fields.get("run", ""))


@dataclass(slots=True)
class RouteReads:
    """The replies from which a RouteCache makes Routes."""

    time: ReplyHandle
    states: ReplyHandle
    groups: ReplyHandle
    consumers: Mapping[bytes, tuple[ReplyHandle, ReplyHandle]]


class RouteCache:
    """Reads the routes, and caches claims and pauses while their version stays. Each thread has its own.

    A foreign group counts as long as one of its consumers was active within `receipts.forget` seconds.

    bus        the key of the stream that all may read
    lease_ms   `tasks.lease` in milliseconds
    forget_ms  `receipts.forget` in milliseconds
    """

    def __init__(self, store: Store) -> None:
        self.bus = store.stream
        self.lease_ms = round(1000 * store.settings.tasks_lease_seconds)
        self.forget_ms = round(1000 * store.settings.receipts_forget_seconds)
        self._claims = Claims()
        self._pauses = Pauses()
        self._large_bytes = store.settings.values_large
        self._has_traces = bool(store.settings.traces_endpoint)
        # When it was checked last; whether it is active, whether it reads pointers.
        self._listeners: dict[bytes, tuple[float, bool, bool]] = {}
        self._first_seen: dict[bytes, float] = {}

    def add_reads(self, pipeline: Pipeline) -> RouteReads:
        """Add the commands that read the routes to a pipeline, whose first command has watched
        CLAIMS_VERSION. (TIME, MGET, XINFO)"""
        now = time.monotonic()
        return RouteReads(
            pipeline.add(*TIME),
            pipeline.add("MGET", keys.CLAIMS_VERSION, keys.RECEIPTS_ROLE, keys.TRACES_ROLE),
            pipeline.add("XINFO", "GROUPS", self.bus),
            {
                name: (
                    pipeline.add("XINFO", "CONSUMERS", self.bus, name),
                    pipeline.add("SISMEMBER", keys.POINTER_READERS, name),
                )
                for name, (checked_at, _, _) in self._listeners.items()
                if now - checked_at >= _LISTENER_CHECK_SECONDS
            },
        )

    def parse(self, connection: Connection, reads: RouteReads) -> Routes:
        """Return the routes; read claims and pauses again if their version has changed. (HGETALL)"""
        version, receipts_role, traces_role = reads.states.value
        if version != self._claims.version:
            claims, pauses = connection.execute([("HGETALL", keys.CLAIMS), ("HGETALL", keys.PAUSES)])
            self._claims = parse_claims(version, claims)
            self._pauses = parse_pauses(pauses)
        listeners = self._find_listeners(reads)
        return Routes(
            now_ms=parse_time_ms(reads.time.value),
            bus=self.bus,
            claims=self._claims,
            pauses=self._pauses,
            has_listeners=bool(listeners),
            has_receipts=receipts_role is not None,
            large_bytes=self._large_bytes,
            listeners_read_pointers=all(listeners),
            has_traces=self._has_traces,
            has_exports=traces_role is not None,
        )

    def watch(self, connection: Connection, *more: str) -> Routes:
        """Watch CLAIMS_VERSION and `more` keys, and read the routes. (WATCH, TIME, MGET, XINFO)"""
        pipeline = Pipeline(connection)
        pipeline.add("WATCH", keys.CLAIMS_VERSION, *more)
        reads = self.add_reads(pipeline)
        pipeline.send()
        return self.parse(connection, reads)

    def _find_listeners(self, reads: RouteReads) -> list[bool]:
        """Return for each foreign group that reads the bus whether it reads pointers. A new one counts as
        active, and as one that does not, until it is checked."""
        now = time.monotonic()
        for name, (consumers, is_reader) in reads.consumers.items():
            is_active = self._is_active(name, consumers.value_or_none)
            self._listeners[name] = now, is_active, bool(is_reader.value_or_none)
        names = [parse_pairs(group)[b"name"] for group in reads.groups.value_or_none or ()]
        foreign = [name for name in names if not self._is_own(name)]
        if foreign or self._listeners:
            self._listeners = {name: self._listeners.get(name, (0.0, True, False)) for name in foreign}
            self._first_seen = {name: self._first_seen.get(name, now) for name in foreign}
        return [reads_pointers for _, is_active, reads_pointers in self._listeners.values() if is_active]

    def _is_own(self, name: bytes) -> bool:
        group = name.decode(errors="backslashreplace")
        return group in OWN_GROUPS or group in self._claims.groups.values()

    def _is_active(self, group: bytes, consumers: Reply) -> bool:
        if not consumers:
            return 1000 * (time.monotonic() - self._first_seen[group]) < self.forget_ms
        idle_ms = min(parse_pairs(consumer)[b"idle"] for consumer in consumers)
        return bool(idle_ms < self.forget_ms)
