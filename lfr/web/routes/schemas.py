"""JSON schemas of what travels (JSON Schema 2020-12, as OpenAPI 3.1 takes them)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from lfr.engine import StepAction
from lfr.flow import StepKind
from lfr.operations.permitted_actions import WorkflowAction
from lfr.states import StepState, WorkflowState

Schema: TypeAlias = Mapping[str, Any]

JSON: Final = "application/json"

TEXT: Final[Schema] = {"type": "string"}
FLOW_TEXT: Final[Schema] = {
    "type": "string",
    "examples": ["@flow build\nfetch -> { compile test } -> publish"],
}
WORD: Final[Schema] = {"type": "string", "minLength": 1}
BOOLEAN: Final[Schema] = {"type": "boolean"}
NUMBER: Final[Schema] = {"type": "integer"}
ANYTHING: Final[Schema] = {}
OBJECT: Final[Schema] = {"type": "object"}
INPUT: Final[Schema] = {"type": ["object", "array", "null"]}
TIME: Final[Schema] = {"type": ["string", "null"], "format": "date-time"}
MAYBE_TEXT: Final[Schema] = {"type": ["string", "null"]}
MAYBE_NUMBER: Final[Schema] = {"type": ["integer", "null"]}


def word(*words: str) -> Schema:
    """One of these."""
    return {"type": "string", "enum": list(words)}


def whole(least: int, most: int) -> Schema:
    """A whole number within these bounds."""
    return {"type": "integer", "minimum": least, "maximum": most}


def array(items: Schema) -> Schema:
    """A list of these."""
    return {"type": "array", "items": items}


def record(needed: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """An object with these properties."""
    return {"type": "object", "required": list(needed), "properties": {**needed, **(optional or {})}}


def ok(schema: Schema) -> dict[int, dict[str, Schema]]:
    """The answers of a route that gives JSON like this."""
    return {200: {JSON: schema}}


STATE: Final = word(*WorkflowState)
STEP_STATE: Final = word(*StepState)

COUNTS: Final = record(
    {"total": MAYBE_NUMBER, "running": NUMBER, "done": NUMBER, "skipped": NUMBER, "failed": NUMBER}
)
COUNTS_BY_STATE: Final = record({state.value: NUMBER for state in WorkflowState})

SUMMARY: Final = record(
    {
        "id": TEXT,
        "name": TEXT,
        "state": STATE,
        "reason": MAYBE_TEXT,
        "started": TIME,
        "ended": TIME,
        "parent": MAYBE_TEXT,
        "counts": COUNTS,
    }
)

FACT: Final = record(
    {
        "at": TIME,
        "index": MAYBE_NUMBER,
        "item": MAYBE_NUMBER,
        "event": TEXT,
        "attempt": MAYBE_NUMBER,
        "reason": MAYBE_TEXT,
    }
)

_STEP: Final[Mapping[str, Schema]] = {
    "index": NUMBER,
    "name": TEXT,
    "base": TEXT,
    "kind": word(*StepKind),
    "state": STEP_STATE,
    "started": TIME,
    "ended": TIME,
    "attempt": NUMBER,
    "reason": MAYBE_TEXT,
}

_ITEMS: Final = record(
    {
        "total": MAYBE_NUMBER,
        "done": NUMBER,
        "running": NUMBER,
        "failed": NUMBER,
        "open": array(record({"id": TEXT, "state": STEP_STATE})),
    }
)

_NEWS: Final[Mapping[str, Schema]] = {
    "items": _ITEMS,
    "progress": record({"at": TIME, "fraction": {"type": "number"}, "text": TEXT}),
    "waits_for": record({"until": TIME}, {"event": TEXT, "match": OBJECT, "latch": TEXT}),
}

STEP: Final = record(_STEP, {"input": ANYTHING, "output": ANYTHING, **_NEWS})


def _actions(words: Iterable[str]) -> Schema:
    """By action: null if it can be done now, else why not."""
    return record({word: MAYBE_TEXT for word in words})


WHOLE_STEP: Final = record(
    {
        **_STEP,
        "input": ANYTHING,
        "output": ANYTHING,
        "parameters": ANYTHING,
        "guard": MAYBE_TEXT,
        "actions": _actions(StepAction),
        "attempts": array(FACT),
    },
    _NEWS,
)

FLOW: Final = record(
    {"steps": array(OBJECT), "edges": array(array(NUMBER))}, {"name": TEXT, "doc": TEXT, "docs": OBJECT}
)

WORKFLOW: Final = record(
    {
        **SUMMARY["properties"],
        "actions": _actions(WorkflowAction),
        "moment": TEXT,
        "steps": array(STEP),
        "flow": FLOW,
    },
    {"input": ANYTHING, "output": ANYTHING},
)

STATE_OF_STEPS: Final = record({"state": STATE, "reason": MAYBE_TEXT, "counts": COUNTS, "steps": array(STEP)})

FINDING: Final = record({"line": NUMBER, "column": NUMBER, "message": TEXT, "hint": TEXT})

STARTED: Final = record({"workflow": TEXT})
