"""Groups the workflows that have failed in a period: by flow, step and pattern of the reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from lfr.errors import BadInput
from lfr.operations.failures.failure import Failure, failure_of
from lfr.operations.select_workflows import Selection, select_workflows
from lfr.operations.workflow_filter import TIME_WORDS, WorkflowFilter, parse_age_or_time
from lfr.states import WorkflowState
from lfr.store import keys
from lfr.store.redis.connection import Connection, Store, read_time_ms
from lfr.store.workflows.queries import load_range
from lfr.store.workflows.record import Record
from lfr.values.checks import mismatch
from lfr.values.times import iso_time

MAX_GROUPS: Final = 200
"""How many groups are counted; what failed by anything else is counted together."""

MAX_EXAMINED: Final = 20_000
"""How many workflows are looked at, about: the failed ones that started last."""

TREND_PARTS: Final = 24
"""In how many parts of the period failures are counted."""

ALL: Final = "all"
"""The word for all times."""

_SLICE: Final = 1_000
"""How many workflows are loaded at once."""


@dataclass(slots=True)
class _Group:
    """The failures that agree in `failure`. `latest` is the last of them; `parts` counts them by the part of
    the period in which they failed."""

    failure: Failure
    latest: Record
    first_ms: int
    count: int = 0
    parts: Counter[int] = field(default_factory=Counter)

    def add(self, record: Record, part: int) -> None:
        self.count += 1
        self.parts[part] += 1
        self.first_ms = min(self.first_ms, record.ended_ms)
        if record.ended_ms > self.latest.ended_ms:
            self.latest = record


class _Period(NamedTuple):
    """From `since_ms` to `until_ms`, in milliseconds since the epoch."""

    since_ms: int
    until_ms: int

    @property
    def part_ms(self) -> int:
        return max(1, -(-(self.until_ms - self.since_ms) // TREND_PARTS))

    def part_of(self, at_ms: int) -> int:
        return min(TREND_PARTS - 1, max(0, (at_ms - self.since_ms) // self.part_ms))


def group_failures(
    store: Store, since: str = "1d", flow: str | None = None, *, max_examined: int = MAX_EXAMINED
) -> dict[str, Any]:
    """Group the workflows that have failed since a time, the group with the latest failure first.

    `since` is an age, a time in ISO 8601, or ALL; `flow` the name of a flow, None: of any. Raises BadInput.

    since, until  the period; `until` is now
    part_seconds  how long each of the TREND_PARTS parts of the period is
    failed     how many have failed in the period; `left_out` of them are in no group, because there are
               more than MAX_GROUPS
    earlier    how many have failed before
    examined   how many of these and those were looked at; `is_complete`: these were all. Else they are those
               that started last
    groups     of each: failure (its id), flow, step and reason (as in `Failure`), example (the reason of the
               latest), count, first and last (when the first and the latest failed), trend (how many
               failed in each part of the period), latest (the id of that workflow), index (of the step that
               failed it, or None), where (the filter that selects exactly these workflows)
    """
    filter = WorkflowFilter((WorkflowState.FAILED,), flow)
    groups: dict[Failure, _Group] = {}
    failed = left_out = earlier = 0
    is_complete = False
    with store.connect() as connection:
        period = _read_period(connection, since)
        for selection in _select_slices(connection, filter, max_examined):
            is_complete = selection.next is None
            for record in selection.records:
                if record.ended_ms < period.since_ms:
                    earlier += 1
                    continue
                failed += 1
                failure = failure_of(record)
                if failure not in groups and len(groups) == MAX_GROUPS:
                    left_out += 1
                    continue
                group = groups.setdefault(failure, _Group(failure, record, record.ended_ms))
                group.add(record, period.part_of(record.ended_ms))
    condition = "" if since == ALL else f" ended={iso_time(period.since_ms)}"
    latest_first = sorted(groups.values(), key=lambda group: group.latest.ended_ms, reverse=True)
    return {
        "since": iso_time(period.since_ms),
        "until": iso_time(period.until_ms),
        "part_seconds": period.part_ms / 1000,
        "failed": failed,
        "left_out": left_out,
        "earlier": earlier,
        "examined": failed + earlier,
        "is_complete": is_complete,
        "groups": [
            {**_describe(group), "where": _where(group.failure) + condition} for group in latest_first
        ],
    }


def _read_period(connection: Connection, since: str) -> _Period:
    now_ms = read_time_ms(connection)
    if since == ALL:
        oldest = load_range(connection, keys.state(WorkflowState.FAILED), None, count=1, newest_first=False)
        return _Period(oldest[0][0] if oldest else now_ms, now_ms)
    since_ms = parse_age_or_time(since, now_ms)
    if since_ms is None:
        raise BadInput(mismatch("since", since, f"{TIME_WORDS}, or {ALL}"))
    return _Period(since_ms, now_ms)


def _select_slices(connection: Connection, filter: WorkflowFilter, max_examined: int) -> Iterator[Selection]:
    """Yield what matches, those that started last first, until `max_examined` or more were looked at."""
    examined, after = 0, None
    while examined < max_examined:
        selection = select_workflows(connection, filter, after, count=_SLICE)
        yield selection
        examined, after = examined + selection.examined, selection.next
        if after is None:
            return


def _describe(group: _Group) -> dict[str, Any]:
    failure, latest = group.failure, group.latest
    return {
        "failure": failure.id,
        "flow": failure.flow,
        "step": failure.step,
        "reason": failure.pattern,
        "example": latest.reason,
        "count": group.count,
        "first": iso_time(group.first_ms),
        "last": iso_time(latest.ended_ms),
        "trend": [group.parts[part] for part in range(TREND_PARTS)],
        "latest": latest.id,
        "index": None if latest.failed_step is None else latest.failed_step.index,
    }


def _where(failure: Failure) -> str:
    """Return the filter that selects a group; its flow lets an index of it be used."""
    name = failure.flow.replace("\\", "\\\\").replace('"', '\\"')
    return f'failure={failure.id} flow="{name}"'
