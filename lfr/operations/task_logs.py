"""Reads what the tasks of a workflow have written, and who has run them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from lfr.errors import BadInput, NotFound
from lfr.operations.inspect.evidence import describe_evidence
from lfr.operations.inspect.workflow import require_flow, require_record
from lfr.operations.workflow_ids import parse_workflow_id
from lfr.store.redis.connection import Connection, Store
from lfr.store.workflows.task_logs import LogChunk, read_attempts, read_log
from lfr.task_log import LogLine
from lfr.values.times import iso_time

MAX_LINES: Final = 1000
"""About how many lines one page of a log has."""

_FOLLOW_SECONDS: Final = 0.5


def read_task_log(
    store: Store, id: str, *, index: int | None = None, attempt: int | None = None, after: int = 0
) -> dict[str, Any]:
    """Read a page of what the tasks of a workflow have written, in the order in which it has arrived: all, or
    only of the step `index`, or of one attempt of it.

    Keys: lines; attempts, those to which these lines belong; cursor, from which the next page begins with
    `after`; has_more, whether there is more now; has_ended, whether the workflow has, so that hardly anything
    comes any more.

    A line: index, name (of the step), attempt, number (from 1 for each attempt), at, source (one of
    `task_log.SOURCES`), text; or index, name, attempt, number and omitted: so many lines were left out from
    this number on. An attempt: as `describe_evidence` describes it. Raises BadInput, and NotFound, also for
    an index outside the flow.
    """
    id = parse_workflow_id(id)
    if attempt is not None and index is None:
        raise BadInput("an attempt is one of a step", hint="name the step, too")
    with store.connect() as connection:
        record = require_record(connection, id)
        chunks: list[LogChunk] = []
        cursor, has_more, count = after, False, 0
        for chunk in read_log(connection, id, after):
            if has_more := count >= MAX_LINES:
                break
            cursor = chunk.number
            if index in (None, chunk.index) and attempt in (None, chunk.attempt):
                chunks.append(chunk)
                count += len(chunk.lines)
        names = _step_names(connection, id, index) if chunks or not after else {}
        logged = read_attempts(connection, id, {(chunk.index, chunk.attempt) for chunk in chunks})
    return {
        "lines": list(_describe_chunks(chunks, names, is_first=after == 0)),
        "attempts": [describe_evidence(key, each) for key, each in sorted(logged.items())],
        "cursor": cursor,
        "has_more": has_more,
        "has_ended": record.state.has_ended and not record.active,
    }


def read_whole_task_log(
    store: Store, id: str, *, index: int | None = None, attempt: int | None = None
) -> Iterator[list[dict[str, Any]]]:
    """Yield the lines of all pages of `read_task_log`, page by page; none if there are no lines."""
    cursor, has_more = 0, True
    while has_more:
        page = read_task_log(store, id, index=index, attempt=attempt, after=cursor)
        cursor, has_more = page["cursor"], page["has_more"]
        if page["lines"]:
            yield page["lines"]


def follow_task_log(
    store: Store, id: str, *, index: int | None = None, attempt: int | None = None
) -> Iterator[list[dict[str, Any]]]:
    """Yield what `read_whole_task_log` yields, then the lines that come, until the workflow has ended. Raises
    NotFound if it is deleted meanwhile."""
    cursor, was_over = 0, False
    while True:
        page = read_task_log(store, id, index=index, attempt=attempt, after=cursor)
        if page["lines"]:
            yield page["lines"]
        is_idle = page["cursor"] == cursor and not page["has_more"]
        cursor = page["cursor"]
        if is_idle:
            if was_over:
                return
            was_over = page["has_ended"]  # its last lines may come a little later: look once more
            time.sleep(_FOLLOW_SECONDS)


def _step_names(connection: Connection, id: str, index: int | None) -> dict[int, str]:
    flow = require_flow(connection, id)
    if index is not None and not flow.first <= index <= flow.last:
        raise NotFound(f"{id} has no step {index}", hint="lfr inspect shows the indices")
    return {step.index: step.name or step.kind.value for step in flow.own_steps}


def _describe_chunks(
    chunks: Sequence[LogChunk], names: Mapping[int, str], *, is_first: bool
) -> Iterator[dict[str, Any]]:
    """Describe the lines of these chunks. With `is_first`, no chunks were read before."""
    next_numbers: dict[tuple[int, int], int] = {}
    for chunk in chunks:
        key = chunk.index, chunk.attempt
        origin = {"index": chunk.index, "name": names.get(chunk.index, ""), "attempt": chunk.attempt}
        expected = next_numbers.get(key, 1 if is_first else chunk.first)
        number = chunk.first
        if expected < number:
            yield {**origin, "number": expected, "omitted": number - expected}
        for line in chunk.lines:
            if isinstance(line, LogLine):
                text = {"at": iso_time(line.at_ms), "source": line.source, "text": line.text}
                yield {**origin, "number": number, **text}
                number += 1
            else:
                yield {**origin, "number": number, "omitted": line}
                number += line
        next_numbers[key] = number
