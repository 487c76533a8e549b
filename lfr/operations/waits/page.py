"""Reads and describes the waits of one page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from lfr.flow import Flow
from lfr.item_ids import root_workflow
from lfr.operations.waits.wait_groups import DUE_KINDS, OF_WORKFLOWS, WaitGroup, WaitKind
from lfr.operations.workers import task_of
from lfr.operations.workflow_filter import WorkflowFilter
from lfr.store import keys
from lfr.store.redis.connection import Connection
from lfr.store.waits.listing import Position, forget_ended, read_page
from lfr.store.waits.registry import read_waits
from lfr.store.workflows.flow_cache import FlowCache
from lfr.store.workflows.queries import load_records
from lfr.store.workflows.record import Record
from lfr.store.workflows.start_events import parse_deadline
from lfr.tasks.wait_spec import Wait
from lfr.values.json import encode_json
from lfr.values.stream_id import StreamId
from lfr.values.times import iso_time

_MAX_EXAMINED: Final = 10_000
"""How many waits one page looks at, if a filter leaves out most."""

_MAX_MATCH_BYTES: Final = 4 * 2**20
"""A page ends early behind so many bytes of the fields that events must have."""

_CHUNK: Final = 200

ALL: Final = WorkflowFilter()


class PageReader:
    """Reads the waits of one page."""

    def __init__(self, connection: Connection, filter: WorkflowFilter, size: int) -> None:
        self._connection = connection
        self._filter = filter
        self._size = size
        self._flows = FlowCache()

    def read(
        self, groups: Sequence[WaitGroup], cursor: tuple[WaitGroup, Position] | None
    ) -> tuple[list[dict[str, Any]], str | None, int]:
        """Return the waits of these groups behind the cursor, the next cursor, and how many it looked at."""
        waits: list[dict[str, Any]] = []
        examined = match_bytes = 0
        for group, positions in self._pages(groups, cursor):
            examined += len(positions)
            rows = self._describe(group, positions)
            for position in positions:
                row = rows.get(position.member)
                if row is None:
                    continue
                waits.append(row)
                match_bytes += len(encode_json(row["match"]))
                if len(waits) == self._size or match_bytes > _MAX_MATCH_BYTES:
                    return waits, self._next_cursor(groups, group, position), examined
            if examined >= _MAX_EXAMINED:
                return waits, self._next_cursor(groups, group, positions[-1]), examined
        return waits, None, examined

    def _pages(
        self, groups: Sequence[WaitGroup], cursor: tuple[WaitGroup, Position] | None
    ) -> Iterator[tuple[WaitGroup, list[Position]]]:
        for group in groups:
            after = None
            if cursor is not None:
                if group.order < cursor[0].order:
                    continue
                after = cursor[1] if group.order == cursor[0].order else None
            count = min(self._size, _CHUNK) if self._filter == ALL else _CHUNK
            while positions := read_page(self._connection, group.key, after, count=count):
                yield group, positions
                after = positions[-1]
                if len(positions) < count:
                    break

    def _next_cursor(self, groups: Sequence[WaitGroup], group: WaitGroup, position: Position) -> str | None:
        """Return the cursor behind this position; None if nothing comes behind it."""
        is_last = group is groups[-1] and not read_page(self._connection, group.key, position, count=1)
        return (
            None if is_last else encode_json([group.kind.value, group.name, position.score, position.member])
        )

    def _describe(self, group: WaitGroup, positions: Sequence[Position]) -> dict[str, dict[str, Any]]:
        """Describe the waits of a page that the filter selects and that are not over, by member."""
        attempts = {position.member: _attempt_of(group, position.member) for position in positions}
        ids = dict.fromkeys(id for id, *_ in attempts.values())
        names = list(dict.fromkeys([*ids, *map(root_workflow, ids)]))
        records = dict(zip(names, load_records(self._connection, names, for_list=True), strict=True))
        positions = [
            position for position in positions if self._selects(records, attempts[position.member][0])
        ]
        waits = self._read_waits(group, [position.member for position in positions], attempts)
        flows = self._flows.fetch(self._connection, {each.reference for each in records.values() if each})
        rows: dict[str, dict[str, Any]] = {}
        for position in positions:
            id, index, *_ = attempts[position.member]
            record, root = records[id], records[root_workflow(id)]
            wait = None if waits is None else waits.get(position.member)
            if record is None or root is None or (waits is not None and wait is None):
                continue
            step = _describe_step(flows.get(record.reference), index)
            row = {"workflow": id, "flow": root.name, **step, "kind": group.kind.value}
            rows[position.member] = (
                row | _describe_times(group, position, wait, record) | _describe_subject(wait)
            )
        return rows

    def _selects(self, records: Mapping[str, Record | None], id: str) -> bool:
        root = records[root_workflow(id)]
        return root is not None and self._filter.matches(root)

    def _read_waits(
        self, group: WaitGroup, members: Sequence[str], attempts: Mapping[str, tuple[str, int, int, str]]
    ) -> dict[str, Wait] | None:
        """Return the waits that the wait role has stored, by member; None for a kind that it has not."""
        if group.kind not in (WaitKind.EVENT, WaitKind.LATCH, WaitKind.DELAY) or not members:
            return None
        waits = read_waits(self._connection, [attempts[member] for member in members])
        by_member = {member: wait for member, wait in zip(members, waits, strict=True) if wait is not None}
        if group.kind is not WaitKind.LATCH:
            ended = [member for member in members if member not in by_member]
            forget_ended(self._connection, group.key, ended)
        return by_member


def _attempt_of(group: WaitGroup, member: str) -> tuple[str, int, int, str]:
    """Return the attempt that a member names; of the deadline of a workflow the index -1."""
    if group.name == OF_WORKFLOWS and group.kind is WaitKind.DEADLINE:
        return member, -1, 0, ""
    if group.kind is WaitKind.DEADLINE:
        fields, _, _ = parse_deadline(member)
        return fields["workflow"], fields["index"], fields["attempt"], fields.get("run", "")
    return keys.parse_attempt_member(member)


def _describe_step(flow: Flow | None, index: int) -> dict[str, Any]:
    if index < 0:
        return {"index": None, "step": "", "task": ""}
    if flow is None or index >= len(flow.steps):
        return {"index": index, "step": "", "task": ""}
    step = flow.steps[index]
    return {"index": index, "step": step.name, "task": task_of(step) or step.task}


def _describe_times(
    group: WaitGroup, position: Position, wait: Wait | None, record: Record
) -> dict[str, Any]:
    since_ms: int | None = None
    until_ms: int | None = position.ms if group.kind in DUE_KINDS else None
    if wait is not None:
        since_ms, until_ms = StreamId.parse(wait.entry_id).ms, wait.due_ms
    elif group.kind is WaitKind.PAUSE:
        since_ms = position.ms
    elif group.kind is WaitKind.DEADLINE and group.name == OF_WORKFLOWS:
        since_ms = record.started_ms
    elif group.kind is WaitKind.DEADLINE:
        since_ms = position.ms - round(1000 * float(parse_deadline(position.member)[2]))
    return {
        "since": None if since_ms is None else iso_time(since_ms),
        "until": None if until_ms is None else iso_time(until_ms),
        "fails": group.kind is WaitKind.DEADLINE or (wait is not None and wait.failure is not None),
    }


def _describe_subject(wait: Wait | None) -> dict[str, Any]:
    pattern = None if wait is None else wait.pattern
    return {
        "event": None if pattern is None else pattern.kind,
        "match": None if pattern is None else dict(pattern.match),
        "latch": None if wait is None else wait.latch,
    }
