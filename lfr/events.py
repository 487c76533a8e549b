"""The events on the stream: all that a task worker in another language must know.

An entry of the stream is a set of fields, each of them JSON-encoded by itself, as rqse 0.5.3 does.
Every event carries `kind`, `apiVersion` ("v1") and `at` (ISO 8601, UTC); unknown fields are kept and
ignored. Reading checks; what cannot be understood raises `Malformed` with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import TypeAlias

from lfr.values.json import InvalidJson, Json, decode_json, decode_json_lists, encode_json

Fields: TypeAlias = Mapping[bytes, bytes]
"""An entry's fields as Redis gives them: name -> JSON, both UTF-8."""

Values: TypeAlias = Mapping[bytes, Json]
"""An entry's fields with their JSON read, as `decode` gives them."""

API_VERSION = "v1"

START_WORKFLOW = "start-workflow"
END_WORKFLOW = "end-workflow"
FAILED_WORKFLOW = "failed-workflow"
TERMINATED_WORKFLOW = "terminated-workflow"
START_TASK = "start-task"
END_TASK = "end-task"
CANCEL_TASK = "cancel-task"
RECEIPT = "receipt"

WORKFLOW_EVENTS = frozenset({START_WORKFLOW, END_WORKFLOW, FAILED_WORKFLOW, TERMINATED_WORKFLOW})
"""The events that tell of a workflow as a whole."""

LATCH_ZERO = "countdown-latch-zero"

OWN_KINDS = WORKFLOW_EVENTS | {START_TASK, END_TASK, CANCEL_TASK, RECEIPT}
"""What lfr and its workers say to each other. All others are the users' own, and can be waited for."""

WORKFLOW_ID = re.compile(r"workflow:(?!latch(?:[:/]|\Z))[\w.:-]{1,240}(/\d{1,7}\.\d{1,9}(\.\d{1,9})?){0,100}")
"""What a workflow's id looks like; behind a slash, which item of which of its steps it runs for. Keys that
begin with `workflow:latch:` are latches, as in littleflow_redis, so no workflow may have that name."""


class Malformed(ValueError):
    """An event that cannot be understood; the text is the reason, for people."""


class Status(StrEnum):
    """How a task ended."""

    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"


@dataclass(frozen=True, slots=True)
class StartTask:
    """A task is to be done.

    name     the task's name as the flow has it; `base` the task behind an alias, else the same
    attempt  which start of this step it is, from 1; echo it in the end-task
    """

    workflow: str
    name: str
    base: str
    index: int
    input: Json
    parameters: Json
    attempt: int


@dataclass(frozen=True, slots=True)
class EndTask:
    """A task has ended. `has_output` tells an output that was not given from one that is null."""

    workflow: str
    name: str
    index: int
    status: Status = Status.SUCCESS
    reason: str = ""
    output: Json = None
    has_output: bool = False
    attempt: int | None = None


@dataclass(frozen=True, slots=True)
class CancelTask:
    """An attempt of a step is over before its task has ended: whoever does that task may stop."""

    workflow: str
    index: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """Somebody has dealt with the event `target` (its id on the stream)."""

    target: str
    action: str


_REQUIRED = {START_TASK: (b"workflow", b"name", b"index"), RECEIPT: (b"for",)}
"""The fields without which nobody can make anything of an event."""


def decode_all(entries: Sequence[Fields]) -> list[Values | Malformed]:
    """The values of each of these events, or why they cannot be read.

    All are read at once, which takes a fraction of the time of reading each field by itself; only if
    that cannot be, it is done field by field.
    """
    try:
        lists = decode_json_lists([fields.values() for fields in entries])
    except InvalidJson:
        return [_decode_one(fields) for fields in entries]
    return [dict(zip(fields, values, strict=True)) for fields, values in zip(entries, lists, strict=True)]


def decode(fields: Fields) -> Values:
    """The values of one event. Raises Malformed."""
    values = decode_all([fields])[0]
    if isinstance(values, Malformed):
        raise values
    return values


def parse_kind(values: Values) -> str:
    """The kind of an event. Raises Malformed if it has none."""
    return _text(values, "kind")


def is_kind(fields: Fields, kind: str) -> bool:
    """Whether an event is of this kind, seen without reading the rest of it."""
    return bool(_kind(fields.get(b"kind", b"null")) == kind)


def peek_kind(fields: Fields) -> str | None:
    """The kind of an event, seen without reading the rest of it; None if it has none."""
    kind = _kind(fields.get(b"kind", b"null"))
    return kind if isinstance(kind, str) else None


@lru_cache(maxsize=1024)
def _kind(encoded: bytes) -> Json:
    try:
        return decode_json(encoded)
    except InvalidJson:
        return None


def decode_event(fields: Fields) -> dict[str, Json]:
    """All fields of an event, decoded. Raises Malformed."""
    try:
        return {name.decode(): value for name, value in decode(fields).items()}
    except UnicodeDecodeError:
        raise Malformed("a field's name is not UTF-8") from None


def check_event(kind: str, values: Values) -> None:
    """Raise Malformed if an event of this kind lacks what nobody can do without."""
    for name in _REQUIRED.get(kind, ()):
        if values.get(name) is None:
            raise Malformed(f"its field {name.decode()} is missing")


def parse_start_task(values: Values) -> StartTask:
    """A start-task event. Raises Malformed."""
    name = _text(values, "name")
    return StartTask(
        workflow=_workflow(values),
        name=name,
        base=_text(values, "base", name) or name,
        index=_index(values),
        input=values.get(b"input"),
        parameters=values.get(b"parameters"),
        attempt=_attempt(values) or 1,
    )


def parse_end_task(values: Values) -> EndTask:
    """An end-task event, ours or one of a worker written for littleflow_redis. Raises Malformed."""
    status = _text(values, "status", Status.SUCCESS)
    if status not in (Status.SUCCESS, Status.FAILURE):
        raise Malformed(f"its status is {status[:40]!r}, neither SUCCESS nor FAILURE")
    reason = values.get(b"reason")
    return EndTask(
        workflow=_workflow(values),
        name=_text(values, "name", ""),
        index=_index(values),
        status=Status(status),
        reason=reason if isinstance(reason, str) else "" if reason is None else encode_json(reason),
        output=values.get(b"output"),
        has_output=b"output" in values,
        attempt=_attempt(values),
    )


def parse_cancel_task(values: Values) -> CancelTask:
    """A cancel-task event. Raises Malformed."""
    return CancelTask(_workflow(values), _index(values), _attempt(values) or 1)


def parse_receipt(values: Values) -> Receipt:
    """A receipt. Raises Malformed."""
    return Receipt(target=_text(values, "for"), action=_text(values, "action", ""))


@lru_cache(maxsize=4)  # all that one transaction writes bears the same time
def timestamp(at: float) -> str:
    """Seconds since the epoch as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def encode(kind: str, at: str, values: Mapping[str, Json]) -> list[str]:
    """The fields of a new event, flat: name, JSON, name, JSON. `at` as by `timestamp`. Raises InvalidJson."""
    flat = ["kind", encode_json(kind), "apiVersion", '"v1"', "at", f'"{at}"']
    for name, value in values.items():
        flat += (name, encode_json(value))
    return flat


def end_task_values(task: StartTask, *, output: Json = None, failure: str | None = None) -> dict[str, Json]:
    """The values of the end-task that answers `task`: with its output, or with why it failed."""
    answer: dict[str, Json] = {
        "workflow": task.workflow,
        "name": task.name,
        "index": task.index,
        "attempt": task.attempt,
    }
    if failure is not None:
        return {**answer, "status": Status.FAILURE, "reason": failure}
    return {**answer, "status": Status.SUCCESS, "output": output}


def receipt_values(target: str, action: str = "processed") -> dict[str, Json]:
    """The values of a receipt for the event with id `target`."""
    return {"for": target, "action": action}


def _decode_one(fields: Fields) -> Values | Malformed:
    values: dict[bytes, Json] = {}
    for name, encoded in fields.items():
        try:
            values[name] = decode_json(encoded)
        except InvalidJson as error:
            told = name[:40].decode(errors="backslashreplace")
            return Malformed(f"its field {told} is not JSON: {error}")
    return values


def _text(values: Values, name: str, default: str | None = None) -> str:
    value = values.get(name.encode())
    if isinstance(value, str):
        return value
    if value is None and default is not None:
        return default
    raise Malformed(f"its field {name} is {'missing' if value is None else 'not a string'}")


def _workflow(values: Values) -> str:
    workflow = _text(values, "workflow")
    if not WORKFLOW_ID.fullmatch(workflow):
        raise Malformed(f"its workflow {workflow[:40]!r} is no workflow's id")
    return workflow


def _index(values: Values) -> int:
    index = values.get(b"index")
    if type(index) is not int or index < 0:
        raise Malformed(f"its index is {'missing' if index is None else 'not a step'}")
    return index


def _attempt(values: Values) -> int | None:
    attempt = values.get(b"attempt")
    if attempt is None or type(attempt) is int:
        return attempt
    raise Malformed("its attempt is not a whole number")
