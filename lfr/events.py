"""The events on the stream: all that a task worker in another language must know.

An entry of the stream is a set of fields, each of them JSON-encoded by itself, as rqse 0.5.3 does.
Every event carries `kind`, `apiVersion` ("v1") and `at` (ISO 8601, UTC); unknown fields are kept and
ignored. Reading checks; what cannot be understood raises `Malformed` with the reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeAlias

from lfr.flow import Json

Fields: TypeAlias = Mapping[bytes, bytes]
"""An entry's fields as Redis gives them: name -> JSON, both UTF-8."""

API_VERSION = "v1"

START_WORKFLOW = "start-workflow"
END_WORKFLOW = "end-workflow"
FAILED_WORKFLOW = "failed-workflow"
TERMINATED_WORKFLOW = "terminated-workflow"
START_TASK = "start-task"
END_TASK = "end-task"
RECEIPT = "receipt"

WORKFLOW_EVENTS = frozenset({START_WORKFLOW, END_WORKFLOW, FAILED_WORKFLOW, TERMINATED_WORKFLOW})
"""The events that tell of a workflow as a whole."""

WORKFLOW_ID = re.compile(r"workflow:[\w.:/-]{1,240}")
"""What a workflow's id looks like."""


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
class Receipt:
    """Somebody has dealt with the event `target` (its id on the stream)."""

    target: str
    action: str


_KNOWN_KINDS = {
    json.dumps(kind).encode(): kind for kind in (*WORKFLOW_EVENTS, START_TASK, END_TASK, RECEIPT)
}


def read_kind(fields: Fields) -> str:
    """The kind of an event. Raises Malformed if it has none."""
    encoded = fields.get(b"kind")
    if encoded is None:
        raise Malformed("it has no field kind")
    known = _KNOWN_KINDS.get(encoded)
    if known is not None:
        return known
    kind = _decode("kind", encoded)
    if not isinstance(kind, str):
        raise Malformed("its kind is not a string")
    return kind


def read_event(fields: Fields) -> dict[str, Json]:
    """All fields of an event, decoded. Raises Malformed."""
    try:
        return {name.decode(): _decode(name.decode(), encoded) for name, encoded in fields.items()}
    except UnicodeDecodeError:
        raise Malformed("a field's name is not UTF-8") from None


def read_start_task(fields: Fields) -> StartTask:
    """A start-task event. Raises Malformed."""
    name = _text(fields, "name")
    return StartTask(
        workflow=_workflow(fields),
        name=name,
        base=_text(fields, "base", name) or name,
        index=_index(fields),
        input=_value(fields, "input"),
        parameters=_value(fields, "parameters"),
        attempt=_attempt(fields) or 1,
    )


def read_end_task(fields: Fields) -> EndTask:
    """An end-task event, ours or one of a worker written for littleflow_redis. Raises Malformed."""
    status = _text(fields, "status", Status.SUCCESS)
    if status not in (Status.SUCCESS, Status.FAILURE):
        raise Malformed(f"its status is {status[:40]!r}, neither SUCCESS nor FAILURE")
    reason = _value(fields, "reason")
    return EndTask(
        workflow=_workflow(fields),
        name=_text(fields, "name", ""),
        index=_index(fields),
        status=Status(status),
        reason=reason if isinstance(reason, str) else "" if reason is None else json.dumps(reason),
        output=_value(fields, "output"),
        has_output=b"output" in fields,
        attempt=_attempt(fields),
    )


def read_receipt(fields: Fields) -> Receipt:
    """A receipt. Raises Malformed."""
    return Receipt(target=_text(fields, "for"), action=_text(fields, "action", ""))


def timestamp(at: float) -> str:
    """Seconds since the epoch as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def encode(kind: str, at: str, values: Mapping[str, Json]) -> list[str]:
    """The fields of a new event, flat: name, JSON, name, JSON. `at` as `timestamp` gives it."""
    flat = ["kind", json.dumps(kind), "apiVersion", '"v1"', "at", f'"{at}"']
    for name, value in values.items():
        flat += (name, json.dumps(value, separators=(",", ":")))
    return flat


def end_task(
    task: StartTask, *, output: Json = None, failure: str | None = None
) -> dict[str, Json]:
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


def receipt(target: str, action: str = "processed") -> dict[str, Json]:
    """The values of a receipt for the event with id `target`."""
    return {"for": target, "action": action}


def _decode(name: str, encoded: bytes) -> Json:
    try:
        return json.loads(encoded)
    except (ValueError, RecursionError):
        raise Malformed(f"its field {name[:40]} is not JSON") from None


def _value(fields: Fields, name: str) -> Json:
    encoded = fields.get(name.encode())
    return None if encoded is None else _decode(name, encoded)


def _text(fields: Fields, name: str, default: str | None = None) -> str:
    value = _value(fields, name)
    if isinstance(value, str):
        return value
    if value is None and default is not None:
        return default
    raise Malformed(f"its field {name} is {'missing' if value is None else 'not a string'}")


def _workflow(fields: Fields) -> str:
    workflow = _text(fields, "workflow")
    if not WORKFLOW_ID.fullmatch(workflow):
        raise Malformed(f"its workflow {workflow[:40]!r} is no workflow's id")
    return workflow


def _index(fields: Fields) -> int:
    index = _value(fields, "index")
    if type(index) is not int or index < 0:
        raise Malformed(f"its index is {'missing' if index is None else 'not a step'}")
    return index


def _attempt(fields: Fields) -> int | None:
    attempt = _value(fields, "attempt")
    if attempt is None or type(attempt) is int:
        return attempt
    raise Malformed("its attempt is not a whole number")
