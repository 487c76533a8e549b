"""Parses a document as an archive. It may come from anywhere, so every value is checked."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from lfr.errors import BadInput
from lfr.flow import Flow, StepKind
from lfr.guard import parse_guard
from lfr.operations.workflow_ids import parse_workflow_id
from lfr.states import WorkflowState
from lfr.step_options import parse_step_options
from lfr.values.checks import LIST, OBJECT, TEXT, Check, whole_number
from lfr.values.json import InvalidJson, Json, copy_json, encode_json
from lfr.values.times import MAX_TIME_MS

FORMAT: Final = "lfr-workflow"
VERSION: Final = 1

_FACTS: Final = re.compile(
    r"([-+=~!^]\d{1,7}(/\d{1,9})?(\.\d{1,9})?|finished|failed|terminated|restarted)( (?!$)|$)"
)
_COUNT: Final = whole_number(0, 2**53 - 1)
_TIME: Final = whole_number(0, MAX_TIME_MS)


def parse_archive(document: Json) -> tuple[Flow, dict[str, Any], str]:
    """Return the flow, the snapshot (for `snapshot_commands`) and the id of an archive.

    Raises BadInput if the document is no archive, is of another version, or has a value that does not fit.
    """
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise _bad('its "format" is not "lfr-workflow"')
    if document.get("version") != VERSION:
        raise _bad(f"its version is {str(document.get('version'))[:20]}; this lfr reads version {VERSION}")
    id = document.get("id")
    if not isinstance(id, str):
        raise _bad("it has no id")
    flow = _parse_flow(document.get("flow"))
    return flow, _parse_snapshot(document, flow, depth=0), parse_workflow_id(id)


def _parse_flow(data: Json) -> Flow:
    try:
        flow = Flow.from_dict(data)
        encode_json(flow.to_dict())
        if not all(isinstance(text, str) for text in (flow.name, flow.doc, *flow.docs, *flow.docs.values())):
            raise ValueError("its name and its docs must be texts")
        for position, step in enumerate(flow.steps):
            _check_step(flow, position)
            parse_step_options(step.parameters)
            if step.guard is not None:
                parse_guard(step.guard)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _bad(f"its flow cannot be read: {type(error).__name__}: {str(error)[:80]}") from None
    steps = range(len(flow.steps))
    has_ends = all(type(end) is int and end in steps for edge in flow.edges for end in edge)
    if len(flow.steps) < 2 or not has_ends or list(flow.edges) != sorted(set(flow.edges)):
        raise _bad("the edges of its flow do not fit its steps")
    return flow


_STEP_TYPES: Final = {
    "name": str,
    "base": str,
    "uri": str,
    "merge": bool,
    "iterate": bool,
    "sink": bool,
    "guard": str | None,
}


def _check_step(flow: Flow, position: int) -> None:
    step = flow.steps[position]
    if type(step.index) is not int or step.index != position:
        raise ValueError(f"step {position} has another index")
    if not all(isinstance(getattr(step, name), kind) for name, kind in _STEP_TYPES.items()):
        raise ValueError(f"step {position} has a field of a wrong type")
    if step.kind is StepKind.SUBFLOW and not (
        type(step.end) is int and position < step.end < len(flow.steps)
    ):
        raise ValueError(f"step {position} has no end")
    if step.iterate and step.kind not in (StepKind.SUBFLOW, StepKind.TASK):
        raise ValueError(f"step {position} cannot be iterated")


def _parse_snapshot(data: Json, flow: Flow, depth: int) -> dict[str, Any]:
    record = _field(data, "record", OBJECT)
    last = len(flow.steps)
    counts = _parse_counts(data.get("counts"))
    if len(counts) != 4:
        raise _bad("its counts are not four numbers")
    return {
        "record": {
            "name": flow.name or _field(record, "name", TEXT, ""),
            "source": _field(record, "source", TEXT, ""),
            "state": _parse_state(record),
            "reason": _field(record, "reason", TEXT, ""),
            "started": _field(record, "started", _TIME),
            "ended": _field(record, "ended", _TIME),
        },
        "counts": counts,
        "steps": _parse_by_number(data, "steps", range(last), _parse_progress),
        "outputs": _parse_by_number(data, "outputs", range(-1, last), _parse_output),
        "latched": _parse_by_number({"latched": {}, **data}, "latched", range(last), _parse_latched),
        "history": [_parse_history_entry(entry, last) for entry in _field(data, "history", LIST)],
        "items": _parse_items(_parse_by_number(data, "items", range(last), lambda items: items), flow, depth),
    }


def _parse_items(data: dict[str, Any], flow: Flow, depth: int) -> dict[str, Any]:
    parsed: dict[str, Any] = {}
    for index, items in data.items():
        if not flow.steps[int(index)].iterate or depth > 100:
            raise _bad(f"it has items of step {index}, which is not iterated")
        counts = {name: _field(items, name, _COUNT) for name in ("total", "begun", "done", "round")}
        total, begun, done, round = counts.values()
        if not done <= begun <= total or not round:
            raise _bad(f"the items of step {index} are not counted right")
        part = flow.part(int(index))

        def parse_item(data: Json, part: Flow = part) -> dict[str, Any]:
            return _parse_snapshot(data, part, depth + 1)

        parsed[index] = {
            **counts,
            "values": _parse_by_number(items, "values", range(begun, total), _parse_output),
            "outputs": _parse_by_number(items, "outputs", range(begun), _parse_output),
            "open": _parse_by_number(items, "open", range(begun), parse_item),
        }
        sizes = (len(parsed[index][name]) for name in ("values", "outputs", "open"))
        if list(sizes) != [total - begun, done, begun - done]:
            raise _bad(f"the items of step {index} are not complete")
    return parsed


def _parse_by_number(data: Json, name: str, numbers: range, parse: Callable[[Any], Any]) -> dict[str, Any]:
    parsed = {}
    for key, value in _field(data, name, OBJECT).items():
        if not re.fullmatch(r"-1|0|[1-9]\d{0,8}", key) or int(key) not in numbers:
            raise _bad(f"its {name} name {key[:20]!r}, which does not exist")
        parsed[key] = parse(value)
    return parsed


def _parse_progress(value: Json) -> list[int]:
    progress = _parse_counts(value)
    if not 3 <= len(progress) <= 5:
        raise _bad("the progress of a step is not three to five numbers")
    return progress


def _parse_counts(value: Json) -> list[int]:
    """Return a list of counts; an empty list if the value is none."""
    counts = [_COUNT.read(item) for item in value] if isinstance(value, list) else []
    return [] if None in counts else counts


def _parse_latched(value: Json) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"0|-?[1-9]\d{0,8} .*", value, re.DOTALL):
        raise _bad("a step's count of a latch cannot be read")
    return value


def _parse_output(value: Json) -> Json:
    try:
        return copy_json(value)
    except InvalidJson as error:
        raise _bad(f"an output is not JSON: {error}") from None


def _parse_history_entry(entry: Json, last: int) -> dict[str, Any]:
    facts = _field(entry, "facts", TEXT, "")
    if _FACTS.sub("", facts):
        raise _bad("its history cannot be read")
    if any(int(index) >= last for index in re.findall(r"[-+=~!^](\d+)", facts)):
        raise _bad("its history names a step that does not exist")
    fields: dict[str, Any] = {"at": _field(entry, "at", _TIME), "facts": facts}
    return {**fields, "reason": _field(entry, "reason", TEXT, "")} if entry.get("reason") else fields


def _parse_state(record: dict[str, Any]) -> str:
    state = record.get("state")
    if state not in tuple(WorkflowState):
        raise _bad(f"there is no state {str(state)[:20]}")
    return str(state)


def _field(data: Json, name: str, check: Check, default: Json = None) -> Any:
    value = check.read(data.get(name, default)) if isinstance(data, dict) else None
    if value is None:
        raise _bad(f"its {name} is not {check.words}")
    return value


def _bad(why: str) -> BadInput:
    return BadInput(f"this is no archive of a workflow: {why}")
