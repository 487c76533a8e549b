"""Parses a document as an archive. It may come from anywhere, so every value is checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping, Sequence
from functools import partial
from typing import Any, Final

from lfr.errors import BadInput
from lfr.event_fields import Malformed
from lfr.events import cut_reason
from lfr.flow import MAX_ATTEMPT, WORKFLOW_INPUT, Flow, FlowParts, StepKind, TooManyParts
from lfr.guard import parse_guard
from lfr.labels import parse_labels
from lfr.language.graph_rules import (
    BadGraph,
    check_graph,
    progress_error,
    steps_that_can_start,
)
from lfr.operations.inspect.history_state import BadHistoryState, HistoryState
from lfr.operations.workflow_ids import parse_workflow_id
from lfr.states import WorkflowState
from lfr.step_options import parse_step_options
from lfr.task_log import EVIDENCE, parse_lines
from lfr.tasks.wait_spec import LONGEST_NAME
from lfr.values.checks import LIST, OBJECT, TEXT, Check, is_unicode, suggestion, whole_number
from lfr.values.json import InvalidJson, Json, copy_json, encode_json
from lfr.values.times import MAX_TIME_MS

FORMAT: Final = "lfr-workflow"
VERSION: Final = 1

_FACTS: Final = re.compile(
    r"([-+=~!^]\d{1,7}(/\d{1,9})?(\.\d{1,9})?\*?"
    r"|finished|failed|terminated|restarted|paused|resumed|timed-out)( (?!$)|$)",
    re.ASCII,
)
_COUNT: Final = whole_number(0, 10**12)
"""How many steps have ended in some way: in a loop, each turn counts."""

_PROGRESS: Final = whole_number(0, 10**9)
_ROUND: Final = whole_number(1, MAX_ATTEMPT)
_TIME: Final = whole_number(0, MAX_TIME_MS)

_HEAD_KEYS: Final = ("format", "version", "id", "flow")
_ARCHIVE_KEYS: Final = (
    "record",
    "counts",
    "steps",
    "outputs",
    "latched",
    "history",
    "removed",
    "log",
    "items",
)
_RECORD_KEYS: Final = tuple(
    ["name", "source", "state", "reason", "started", "ended", "simulated", "version", "labels", "paused"]
)
_ITEMS_KEYS: Final = ("total", "begun", "done", "round", "values", "outputs", "open")
_ENTRY_KEYS: Final = ("at", "facts", "reason", "actor", "actor_reason")

_MAX_DEPTH: Final = 100
"""How deeply items may be nested in items."""

_MAX_PART_STEPS: Final = 5_000_000
"""How many steps the parts of the flow that run for items may have together."""


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
    return flow, _SnapshotParser().parse(document, flow, depth=0), parse_workflow_id(id)


def _parse_flow(data: Json) -> Flow:
    try:
        flow = Flow.from_dict(data)
        encode_json(flow.to_dict())
        if not all(isinstance(text, str) for text in (flow.name, flow.doc, *flow.docs, *flow.docs.values())):
            raise ValueError("its name and its docs must be texts")
        if not all(map(is_unicode, (flow.name, *(step.name for step in flow.steps)))):
            raise ValueError("a name has half of a surrogate pair, of which no address can be made")
        for position, step in enumerate(flow.steps):
            _check_step(flow, position)
            parse_step_options(step.parameters)
            if step.guard is not None:
                parse_guard(step.guard)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _bad(f"its flow cannot be read: {type(error).__name__}: {str(error)[:80]}") from None
    has_ends = all(type(end) is int for edge in flow.edges for end in edge)
    if not has_ends or list(flow.edges) != sorted(set(flow.edges)):
        raise _bad("the edges of its flow do not fit its steps")
    try:
        check_graph(flow)
    except BadGraph as error:
        raise _bad(f"nothing compiles to its flow: {error}") from None
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


def _parse_labels(labels: Json) -> dict[str, str]:
    try:
        return parse_labels(labels)
    except BadInput as error:
        raise _bad(error.message) from None


class _SnapshotParser:
    """Parses the snapshots of one archive: of the workflow, and of the items in it."""

    def __init__(self) -> None:
        self._parts = FlowParts(_MAX_PART_STEPS)
        self._can_start: dict[str, frozenset[int]] = {}

    def parse(self, data: Json, flow: Flow, depth: int) -> dict[str, Any]:
        """Return the snapshot of a workflow, or of a child; then `flow` is the one that runs for it."""
        record = _field(data, "record", OBJECT)
        _check_keys("the archive", data, (*_ARCHIVE_KEYS, "flow") if depth else (*_ARCHIVE_KEYS, *_HEAD_KEYS))
        _check_keys("its record", record, _RECORD_KEYS)
        steps = range(flow.first, flow.last + 1)
        progress = _parse_by_number(data, "steps", steps, _parse_progress)
        counts = self._parse_counts(data, flow, progress)
        items = _parse_by_number(data, "items", steps, lambda items: items)
        return {
            "record": {
                "name": flow.name or _field(record, "name", TEXT, ""),
                "source": _field(record, "source", TEXT, ""),
                "state": _parse_state(record),
                "reason": cut_reason(_field(record, "reason", TEXT, "")),
                "started": _field(record, "started", _TIME),
                "ended": _field(record, "ended", _TIME),
                "simulated": _field(record, "simulated", _COUNT, 0),
                **({"version": _field(record, "version", _COUNT)} if "version" in record else {}),
                **({"labels": _parse_labels(record["labels"])} if "labels" in record and not depth else {}),
                **({"paused": _parse_paused(record)} if "paused" in record else {}),
            },
            "counts": counts,
            "steps": progress,
            "outputs": _parse_by_number(data, "outputs", (WORKFLOW_INPUT, *steps), _parse_output),
            "latched": _parse_by_number({"latched": {}, **data}, "latched", steps, _parse_latched),
            "history": [_parse_history_entry(entry, steps) for entry in _field(data, "history", LIST)],
            **({"removed": _parse_removed(data["removed"], steps)} if "removed" in data else {}),
            "log": _parse_logs(_field(data, "log", LIST, []), steps),
            "items": self._parse_items(items, flow, progress, depth),
        }

    def _parse_counts(self, data: Json, flow: Flow, steps: Mapping[str, list[int]]) -> list[int]:
        """Return the counts of a workflow, which fit the progress of its steps; check that progress."""
        counts = _parse_numbers(data.get("counts"), _COUNT)
        if len(counts) != 4:
            raise _bad("its counts are not four numbers")
        if flow.reference not in self._can_start:
            self._can_start[flow.reference] = steps_that_can_start(flow)
        numbers = {int(index): step for index, step in steps.items()}
        if error := progress_error(flow, self._can_start[flow.reference], numbers):
            raise _bad(f"no run of its flow gets there: {error}")
        active = sum(active for _, active, *_ in numbers.values())
        if active != counts[0]:
            raise _bad(f"its counts say that {counts[0]} steps run, its steps {active}")
        return counts

    def _parse_items(
        self, data: dict[str, Any], flow: Flow, steps: Mapping[str, list[int]], depth: int
    ) -> dict[str, Any]:
        parsed: dict[str, Any] = {}
        for index, items in data.items():
            step = flow.steps[int(index)]
            if not step.has_children or depth > _MAX_DEPTH:
                raise _bad(f"it has items of step {index}, which is not iterated")
            counts = {name: _field(items, name, _COUNT) for name in ("total", "begun", "done")}
            _check_keys(f"its step {index}", items, _ITEMS_KEYS)
            total, begun, done = counts.values()
            counts["round"] = _field(items, "round", _ROUND)
            attempt = max(1, *steps.get(index, [0, 0, 0])[2:3])
            if not done <= begun <= total or counts["round"] > attempt:
                raise _bad(f"the items of step {index} are not counted right")
            if step.is_call and (total, begun, done) != (1, 1, 0):
                raise _bad(f"step {index}, a call, has not one child")
            parse_child = partial(self._parse_child, flow, int(index), depth + 1)
            parsed[index] = {
                **counts,
                "values": _parse_by_number(items, "values", range(begun, total), _parse_output),
                "outputs": _parse_by_number(items, "outputs", range(begun), _parse_output),
                "open": _parse_by_number(items, "open", range(begun), parse_child),
            }
            sizes = (len(parsed[index][name]) for name in ("values", "outputs", "open"))
            if list(sizes) != [total - begun, done, begun - done]:
                raise _bad(f"the items of step {index} are not complete")
        return parsed

    def _parse_child(self, flow: Flow, index: int, depth: int, data: Json) -> dict[str, Any]:
        """Return the snapshot of a child; that of a call has the flow that runs as a `Flow`."""
        if flow.steps[index].is_call:
            called = _parse_flow(_field(data, "flow", OBJECT))
            return {"flow": called, **self.parse(data, called, depth)}
        try:
            part = self._parts.part(flow, index)
        except TooManyParts as error:
            raise _bad(str(error)) from None
        return self.parse(data, part, depth)


def _parse_by_number(
    data: Json, name: str, numbers: Container[int], parse: Callable[[Any], Any]
) -> dict[str, Any]:
    parsed = {}
    for key, value in _field(data, name, OBJECT).items():
        if not re.fullmatch(r"-1|0|[1-9][0-9]{0,8}", key) or int(key) not in numbers:
            raise _bad(f"its {name} name {key[:20]!r}, which does not exist")
        parsed[key] = parse(value)
    return parsed


def _parse_progress(value: Json) -> list[int]:
    progress = _parse_numbers(value, _PROGRESS)
    if not 3 <= len(progress) <= 5:
        raise _bad("the progress of a step is not three to five numbers")
    return progress


def _parse_numbers(value: Json, check: Check) -> list[int]:
    """Return a list of numbers as the check reads them; an empty list if the value is none."""
    numbers = [check.read(item) for item in value] if isinstance(value, list) else []
    return [] if None in numbers else numbers


def _parse_latched(value: Json) -> str:
    pattern = rf"0|-?[1-9][0-9]{{0,8}} .{{0,{LONGEST_NAME}}}"
    if not isinstance(value, str) or not is_unicode(value) or not re.fullmatch(pattern, value, re.DOTALL):
        raise _bad("a step's count of a latch cannot be read")
    return value


def _parse_output(value: Json) -> Json:
    try:
        return copy_json(value)
    except InvalidJson as error:
        raise _bad(f"an output is not JSON: {error}") from None


def _parse_history_entry(entry: Json, steps: range) -> dict[str, Any]:
    _check_keys("an entry of its history", entry, _ENTRY_KEYS)
    facts = _field(entry, "facts", TEXT, "")
    if _FACTS.sub("", facts):
        raise _bad("its history cannot be read")
    if any(int(index) not in steps for index in re.findall(r"[-+=~!^](\d+)", facts)):
        raise _bad("its history names a step that does not exist")
    fields: dict[str, Any] = {"at": _field(entry, "at", _TIME), "facts": facts}
    texts = {name: _field(entry, name, TEXT, "") for name in ("reason", "actor", "actor_reason")}
    texts["reason"] = cut_reason(texts["reason"])
    return {**fields, **{name: text for name, text in texts.items() if text}}


def _parse_removed(data: Json, steps: range) -> dict[str, Any]:
    try:
        state = HistoryState.parse(data)
    except BadHistoryState as error:
        raise _bad(f"what it says of removed entries cannot be read: {error}") from None
    if not all(index in steps for index in (*state.steps, *state.rounds)):
        raise _bad("its removed entries name a step that does not exist")
    return state.to_dict()


def _parse_logs(entries: list[Json], steps: range) -> list[dict[str, Any]]:
    logs = [_parse_log(entry, steps) for entry in entries]
    if len({(log["index"], log["attempt"]) for log in logs}) < len(logs):
        raise _bad("it has what an attempt has written more than once")
    return logs


def _parse_log(entry: Json, steps: range) -> dict[str, Any]:
    """Return what an attempt has written, for `restored_log_commands`."""
    index = _field(entry, "index", whole_number(steps.start, steps.stop - 1))
    evidence = _field(entry, "evidence", OBJECT, {})
    try:
        lines = parse_lines(_field(entry, "lines", LIST), 0)
    except Malformed as error:
        raise _bad(f"what its step {index} has written cannot be read: {error}") from None
    return {
        **{"index": index, "attempt": _field(entry, "attempt", _ROUND), "lines": lines},
        "delivery": _field(entry, "delivery", _COUNT, 1),
        "evidence": {name: _field(evidence, name, EVIDENCE[name]) for name in EVIDENCE.keys() & evidence},
    }


def _parse_paused(record: dict[str, Any]) -> dict[str, str]:
    deadlines = _field(_field(record, "paused", OBJECT), "deadlines", TEXT)
    if deadlines not in ("run", "stop"):
        raise _bad("its deadlines neither run nor stop while it is paused")
    return {"deadlines": deadlines}


def _parse_state(record: dict[str, Any]) -> str:
    state = record.get("state")
    if state not in tuple(WorkflowState):
        raise _bad(f"there is no state {str(state)[:20]}")
    return str(state)


def _check_keys(owner: str, data: Json, keys: Sequence[str]) -> None:
    """Raise BadInput for a key that is none of these: what a newer lfr has written there would be lost."""
    for key in data if isinstance(data, dict) else ():
        if key not in keys:
            hint = suggestion(key, keys) or "a newer lfr may have written it: restore it with that one"
            raise BadInput(f"this is no archive that this lfr reads: {owner} has {key[:40]!r}", hint=hint)


def _field(data: Json, name: str, check: Check, default: Json = None) -> Any:
    value = check.read(data.get(name, default)) if isinstance(data, dict) else None
    if value is None:
        raise _bad(f"its {name} is not {check.words}")
    return value


def _bad(why: str) -> BadInput:
    return BadInput(f"this is no archive of a workflow: {why}")
