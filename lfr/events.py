"""The events that lfr and workers send each other: kinds, values, and what is malformed.

Every event has `kind`, `apiVersion` ("v1") and `at` (ISO 8601, UTC); unknown fields are kept and ignored. The
parse functions check an event, and raise `Malformed` with the reason if it is not understood.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from lfr.actor import Actor, make_actor
from lfr.event_fields import Fields, Malformed, Values
from lfr.trace_context import parse_traceparent
from lfr.values.checks import read_whole_number
from lfr.values.json import Json, encode_json
from lfr.values.pointers import Pointer, parse_pointer

AttemptId: TypeAlias = tuple[str, int, int, str]
"""An attempt of a step: its workflow, the step's index, the attempt's number, the workflow's run."""

START_WORKFLOW = "start-workflow"
END_WORKFLOW = "end-workflow"
FAILED_WORKFLOW = "failed-workflow"
TERMINATED_WORKFLOW = "terminated-workflow"
START_TASK = "start-task"
END_TASK = "end-task"
CANCEL_TASK = "cancel-task"
TASK_LOG = "task-log"
RECEIPT = "receipt"
OPERATOR_ACTION = "operator-action"

WORKFLOW_EVENTS = frozenset({START_WORKFLOW, END_WORKFLOW, FAILED_WORKFLOW, TERMINATED_WORKFLOW})
"""The kinds of events about a workflow as a whole."""

LATCH_ZERO = "countdown-latch-zero"

OWN_KINDS = WORKFLOW_EVENTS | {START_TASK, END_TASK, CANCEL_TASK, TASK_LOG, RECEIPT, OPERATOR_ACTION}
"""The kinds that lfr and workers send each other. Workflows can wait for all other kinds."""

MAX_REASON: Final = 4000
"""Characters of the reason of a failure that are kept; what is longer is cut."""

CLAIMED = "claimed"
"""A field of a start-task on the bus: the group that does the task, so this is a copy for others; or null:
nobody has claimed it. Without it, no lifecycle has routed the event."""

ACTOR = "lfr_actor"
ACTOR_REASON = "lfr_reason"
"""Fields of an event that somebody has caused by hand: who it was, and why, if he has said that."""

SIMULATED = "simulated"
"""A field of an end-task: true if no worker has done the task, but `lfr simulate`."""

COPY_OF = "copy_of"
"""A field of a copy on the bus: the id of the entry of `workflows:ends` of which it is one, or null."""

_ENTRY_IDS = re.compile(r"(?:\d{1,20}-\d{1,20},)*")

WORKFLOW_ID = re.compile(r"workflow:(?!latch(?:[:/]|\Z))[\w.:-]{1,240}(/\d{1,7}\.\d{1,9}(\.\d{1,9})?){0,100}")
"""The form of a workflow's id; after each slash, the step and the item that it runs for. Keys that begin with
`workflow:latch:` are latches, as in littleflow_redis, so no workflow may have such an id."""


class Status(StrEnum):
    """The result of a task."""

    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"


_STATUSES = {status.value: status for status in Status}


@dataclass(frozen=True, slots=True)
class StartTask:
    """A request to run a task.

    name     as the flow has it; `base`: the task behind an alias, or the same name
    attempt  the number of the attempt, from 1; the end-task repeats it
    input_from  where the input is, if the event does not have it: `input` is None until it is loaded
    tries    its number since the step last ended, from 1: in a loop, each turn begins with 1
    run      the run of the workflow's id, see `Record`; the end-task repeats it. Empty: the event has none
    traceparent  under which the task goes on with the trace of the workflow (W3C Trace Context); empty: the
             event has none
    delivery how often this attempt was handed out, from 1; not in the event: who takes it over from another
             worker counts
    """

    workflow: str
    name: str
    base: str
    index: int
    input: Json
    parameters: Json
    attempt: int
    tries: int = 1
    run: str = ""
    delivery: int = 1
    input_from: Pointer | None = None
    traceparent: str = ""

    @property
    def attempt_id(self) -> AttemptId:
        """Return the attempt that is requested."""
        return self.workflow, self.index, self.attempt, self.run


@dataclass(slots=True)
class EndTask:
    """The end of a task.

    has_output  the event has a field `output`, even a null; if not, the output may be stored out of band
    output_from  where the output is, if the event does not have it, but refers to it
    attempt     None: the worker did not name it
    is_final    of a failure: another attempt would fail as well, so that there is none
    run         the run of the start-task; empty: the worker did not repeat it
    is_simulated  no worker has done the task
    actor       who has ended it by hand, in place of a worker
    """

    workflow: str
    name: str
    index: int
    status: Status = Status.SUCCESS
    reason: str = ""
    output: Json = None
    has_output: bool = False
    attempt: int | None = None
    is_final: bool = False
    run: str = ""
    is_simulated: bool = False
    output_from: Pointer | None = None
    actor: Actor | None = None


@dataclass(frozen=True, slots=True)
class CancelTask:
    """An attempt of a step is over although its task has not ended: the worker may stop."""

    workflow: str
    index: int
    attempt: int
    run: str = ""

    @property
    def attempt_id(self) -> AttemptId:
        """Return the attempt that is over."""
        return self.workflow, self.index, self.attempt, self.run


@dataclass(frozen=True, slots=True)
class Receipt:
    """The event with the entry id `target` has been processed; `action` is what was done with it."""

    target: str
    action: str


@dataclass(frozen=True, slots=True)
class JoinedReceipt:
    """The entries of a stream with these ids, `targets`, have been processed; `action` is what was done with
    them. `stream` is the key of the stream."""

    targets: tuple[str, ...]
    stream: str
    action: str


_REQUIRED = {START_TASK: (b"workflow", b"name", b"index"), RECEIPT: (b"for",)}
"""The fields that an event of a kind must have."""


def parse_kind(values: Values) -> str:
    """Return the kind of an event, known or not. Raises Malformed if it is missing or not a string."""
    return _text(values, b"kind")


def is_copy(fields: Fields) -> bool:
    """Return whether an event on the bus is a copy for foreign groups, which lfr's own roles ignore."""
    return fields.get(b"claimed", b"null") != b"null" or b"copy_of" in fields


def cut_reason(reason: str) -> str:
    """Return the reason of a failure, cut at MAX_REASON: each attempt of each step may leave one in a
    history, and whoever follows a workflow gets them all."""
    return reason if len(reason) <= MAX_REASON else f"{reason[: MAX_REASON - 1]}…"


def check_event(kind: str, values: Values) -> None:
    """Raise Malformed if a start-task or a receipt lacks a required field. Other kinds are not checked."""
    for name in _REQUIRED.get(kind, ()):
        if values.get(name) is None:
            raise Malformed(f"its field {name.decode()} is missing")


def parse_start_task(values: Values) -> StartTask:
    """Parse a start-task event. `base` is by default the name, `attempt` 1, `tries` the attempt. Raises
    Malformed."""
    name, attempt, tries = _text(values, b"name"), _attempt(values) or 1, values.get(b"tries")
    return StartTask(
        workflow=_workflow(values),
        name=name,
        base=_text(values, b"base", name) or name,
        index=_index(values),
        input=values.get(b"input"),
        parameters=values.get(b"parameters"),
        attempt=attempt,
        tries=tries if type(tries) is int else attempt,
        run=_run(values),
        input_from=_pointer(values, b"input_from"),
        traceparent=_traceparent(values),
    )


def parse_end_task(values: Values) -> EndTask:
    """Parse an end-task event, also of a worker written for littleflow_redis. Raises Malformed.

    Without `status` it is a success. A reason that is no text becomes its JSON; a long one is cut.
    """
    word = _text(values, b"status", "SUCCESS")
    status = _STATUSES.get(word)
    if status is None:
        raise Malformed(f"its status is {word[:40]!r}, neither SUCCESS nor FAILURE")
    reason = values.get(b"reason")
    return EndTask(
        workflow=_workflow(values),
        name=_text(values, b"name", ""),
        index=_index(values),
        status=status,
        reason=cut_reason(
            reason if isinstance(reason, str) else "" if reason is None else encode_json(reason)
        ),
        output=values.get(b"output"),
        has_output=b"output" in values,
        attempt=_attempt(values),
        is_final=values.get(b"retry") is False,
        run=_run(values),
        is_simulated=values.get(b"simulated") is True,
        output_from=_pointer(values, b"output_from"),
        actor=parse_actor(values) if b"lfr_actor" in values else None,
    )


def actor_values(actor: Actor | None) -> dict[str, Json]:
    """Return the fields of an event that say who has caused it; without an actor, there are none."""
    if actor is None:
        return {}
    return {ACTOR: actor.name, **({ACTOR_REASON: actor.reason} if actor.reason else {})}


def parse_actor(values: Values) -> Actor | None:
    """Return who has caused an event by hand; None: it does not say."""
    name, reason = values.get(b"lfr_actor"), values.get(b"lfr_reason")
    return make_actor(name, reason if isinstance(reason, str) else "") if isinstance(name, str) else None


def parse_cancel_task(values: Values) -> CancelTask:
    """Parse a cancel-task event. Raises Malformed."""
    return CancelTask(_workflow(values), _index(values), _attempt(values) or 1, _run(values))


def parse_receipt(values: Values) -> Receipt:
    """Parse a receipt. Raises Malformed."""
    return Receipt(target=_text(values, b"for"), action=_text(values, b"action", ""))


def parse_joined_receipt(values: Values) -> JoinedReceipt:
    """Parse a receipt for entries of a queue or of `workflows:ends`. Raises Malformed."""
    targets = values.get(b"for")
    if not isinstance(targets, list) or not _are_entry_ids(targets):
        raise Malformed("its field for is no list of entry ids")
    return JoinedReceipt(tuple(targets), _text(values, b"stream"), _text(values, b"action", ""))


def _are_entry_ids(targets: Sequence[Json]) -> bool:
    """Return whether all of these are entry ids; by one search, because they are many."""
    joined = ",".join(map(str, targets)) + ","
    return bool(_ENTRY_IDS.fullmatch(joined)) and joined.count(",") == len(targets)


def end_task_values(
    task: StartTask,
    *,
    output: Json = None,
    output_from: Pointer | None = None,
    failure: str | None = None,
    is_final: bool = False,
) -> dict[str, Json]:
    """Return the values of an end-task: of a failure for this reason; None: of a success with `output`, or
    that of `output_from`. With `is_final` the failure is not retried, whatever the step's options say."""
    values = {"workflow": task.workflow, "name": task.name, "index": task.index, "attempt": task.attempt}
    if task.run:
        values["run"] = task.run
    if failure is not None:
        final = {"retry": False} if is_final else {}
        return {**values, "status": Status.FAILURE, "reason": failure, **final}
    if output_from is not None:
        return {**values, "status": Status.SUCCESS, "output_from": output_from}
    return {**values, "status": Status.SUCCESS, "output": output}


def receipt_values(target: str, action: str = "processed") -> dict[str, Json]:
    """Return the values of a receipt for the event with entry id `target`."""
    return {"for": target, "action": action}


def _text(values: Values, name: bytes, default: str | None = None) -> str:
    value = values.get(name)
    if isinstance(value, str):
        return value
    if value is None and default is not None:
        return default
    raise Malformed(f"its field {name.decode()} is {'missing' if value is None else 'not a string'}")


def _workflow(values: Values) -> str:
    workflow = _text(values, b"workflow")
    if not WORKFLOW_ID.fullmatch(workflow):
        raise Malformed(f"its workflow {workflow[:40]!r} is no workflow's id")
    return workflow


def _pointer(values: Values, name: bytes) -> Pointer | None:
    if name not in values:
        return None
    pointer = parse_pointer(values[name], _workflow(values))
    if pointer is None:
        raise Malformed(f"its field {name.decode()} does not say where a value of its workflow is")
    return pointer


def _index(values: Values) -> int:
    index = values.get(b"index")
    number = read_whole_number(index)
    if number is None or number < 0:
        raise Malformed(f"its index is {'missing' if index is None else 'not a step'}")
    return number


def _run(values: Values) -> str:
    run = values.get(b"run")
    if run is None:
        return ""
    return run if isinstance(run, str) else encode_json(run)  # it is compared only


def _traceparent(values: Values) -> str:
    text = values.get(b"traceparent")
    return str(parse_traceparent(text) or "") if isinstance(text, str) else ""


def _attempt(values: Values) -> int | None:
    attempt = values.get(b"attempt")
    number = read_whole_number(attempt)
    if attempt is not None and number is None:
        raise Malformed("its attempt is not a whole number")
    return number
