"""JSON schemas of requests and responses (JSON Schema 2020-12, the dialect of OpenAPI 3.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from lfr.engine.interventions import StepAction
from lfr.engine.pauses import PauseScope
from lfr.flow import StepKind
from lfr.operations.explain.cause import CauseKind
from lfr.operations.permitted_actions import WorkflowAction
from lfr.states import StepState, WorkflowState
from lfr.task_log import SOURCES

Schema: TypeAlias = Mapping[str, Any]

JSON: Final = "application/json"

TEXT: Final[Schema] = {"type": "string"}
FLOW_TEXT: Final[Schema] = {
    "type": "string",
    "examples": ["@flow build\nfetch -> { compile test } -> publish"],
}
NONEMPTY_TEXT: Final[Schema] = {"type": "string", "minLength": 1}
BOOLEAN: Final[Schema] = {"type": "boolean"}
INTEGER: Final[Schema] = {"type": "integer"}
ANY: Final[Schema] = {}
OBJECT: Final[Schema] = {"type": "object"}
TIME: Final[Schema] = {"type": ["string", "null"], "format": "date-time"}
NULLABLE_TEXT: Final[Schema] = {"type": ["string", "null"]}
NULLABLE_INTEGER: Final[Schema] = {"type": ["integer", "null"]}
NUMBER: Final[Schema] = {"type": "number"}
NULLABLE_NUMBER: Final[Schema] = {"type": ["number", "null"]}


def enum(*words: str) -> Schema:
    """Return the schema of a text that is one of these words."""
    return {"type": "string", "enum": list(map(str, words))}


def integer(minimum: int, maximum: int) -> Schema:
    """Return the schema of an integer within these bounds."""
    return {"type": "integer", "minimum": minimum, "maximum": maximum}


def array(items: Schema) -> Schema:
    """Return the schema of a list of these items."""
    return {"type": "array", "items": items}


def object_schema(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """Return the schema of an object with these properties by name. It allows further ones."""
    return {"type": "object", "required": list(required), "properties": {**required, **(optional or {})}}


def ok(schema: Schema) -> dict[int, dict[str, Schema]]:
    """Return the `responses` of a route that succeeds with status 200 and a JSON body of this schema."""
    return {200: {JSON: schema}}


STATE: Final = enum(*WorkflowState)
STEP_STATE: Final = enum(*StepState)

COUNTS: Final = object_schema(
    {
        "total": NULLABLE_INTEGER,
        "running": INTEGER,
        "done": INTEGER,
        "skipped": INTEGER,
        "failed": INTEGER,
        "simulated": INTEGER,
    }
)
COUNTS_BY_STATE: Final = object_schema({state.value: INTEGER for state in WorkflowState})

_PAUSED: Final[Mapping[str, Schema]] = {
    "scope": enum(*PauseScope),
    "name": NULLABLE_TEXT,
    "since": TIME,
    "by": NULLABLE_TEXT,
    "deadlines": enum("run", "stop"),
}

PAUSE: Final = object_schema(_PAUSED)

SUMMARY: Final = object_schema(
    {
        "id": TEXT,
        "name": TEXT,
        "version": NULLABLE_INTEGER,
        "state": STATE,
        "reason": NULLABLE_TEXT,
        "started": TIME,
        "ended": TIME,
        "labels": OBJECT,
        "parent": NULLABLE_TEXT,
        "counts": COUNTS,
        "paused": {**PAUSE, "type": ["object", "null"]},
    }
)

_ACTOR: Final[Mapping[str, Schema]] = {"actor": NULLABLE_TEXT, "actor_reason": NULLABLE_TEXT}

FACT: Final = object_schema(
    {
        "at": TIME,
        "index": NULLABLE_INTEGER,
        "item": NULLABLE_INTEGER,
        "event": TEXT,
        "attempt": NULLABLE_INTEGER,
        "reason": NULLABLE_TEXT,
        "simulated": BOOLEAN,
        **_ACTOR,
    }
)

_STEP: Final[Mapping[str, Schema]] = {
    "index": INTEGER,
    "name": TEXT,
    "base": TEXT,
    "kind": enum(*StepKind),
    "state": STEP_STATE,
    "started": TIME,
    "ended": TIME,
    "attempt": INTEGER,
    "tries": INTEGER,
    "reason": NULLABLE_TEXT,
    "simulated": BOOLEAN,
    "of_items": BOOLEAN,
}

_ITEMS: Final = object_schema(
    {
        "total": NULLABLE_INTEGER,
        "done": INTEGER,
        "running": INTEGER,
        "failed": INTEGER,
        "latest": array(TEXT),
        "open": array(object_schema({"id": TEXT, "state": STEP_STATE})),
    }
)

_STEP_DETAILS: Final[Mapping[str, Schema]] = {
    "items": _ITEMS,
    "call": object_schema(
        {
            "flow": TEXT,
            "id": NULLABLE_TEXT,
            "version": NULLABLE_INTEGER,
            "state": {"enum": [*map(str, WorkflowState), None]},
        }
    ),
    "progress": object_schema({"at": TIME, "fraction": NUMBER, "text": TEXT}),
    "waits_for": object_schema(
        {"until": TIME},
        {
            "event": TEXT,
            "match": OBJECT,
            "latch": TEXT,
            "worker": TEXT,
            "message": TEXT,
            "hint": TEXT,
            "since": TIME,
            "pause": PAUSE,
        },
    ),
}

STEP: Final = object_schema(
    _STEP, {"input": ANY, "output": ANY, "omitted": array(enum("input", "output")), **_STEP_DETAILS}
)


def _actions(words: Iterable[str]) -> Schema:
    """Return the schema of the refusals by action: null if the action is permitted, else the reason."""
    return object_schema({word: NULLABLE_TEXT for word in words})


_EVIDENCE: Final = object_schema(
    {
        "index": INTEGER,
        "attempt": INTEGER,
        "delivery": INTEGER,
        "lines": INTEGER,
        "started": TIME,
        "ended": TIME,
        "host": NULLABLE_TEXT,
        "process": NULLABLE_INTEGER,
        "version": NULLABLE_TEXT,
        "cpu_seconds": NULLABLE_NUMBER,
        "peak_bytes": NULLABLE_INTEGER,
    }
)

TASK_LOG: Final = object_schema(
    {
        "lines": array(
            object_schema(
                {"index": INTEGER, "name": TEXT, "attempt": INTEGER, "number": INTEGER},
                {"at": TIME, "source": enum(*SOURCES), "text": TEXT, "omitted": INTEGER},
            )
        ),
        "attempts": array(_EVIDENCE),
        "cursor": INTEGER,
        "has_more": BOOLEAN,
        "has_ended": BOOLEAN,
    }
)

WHOLE_STEP: Final = object_schema(
    {
        **_STEP,
        "input": ANY,
        "output": ANY,
        "parameters": ANY,
        "guard": NULLABLE_TEXT,
        "actions": _actions(StepAction),
        "attempts": array(FACT),
        "evidence": array(_EVIDENCE),
    },
    _STEP_DETAILS,
)

_CAUSE: Final[Mapping[str, Schema]] = {
    "index": INTEGER,
    "name": TEXT,
    "state": STEP_STATE,
    "cause": enum(*CauseKind),
    "text": TEXT,
    "cure": TEXT,
}

_ITEM_CAUSES: Final = object_schema(
    {
        "id": TEXT,
        "state": enum(*dict.fromkeys((*StepState, *WorkflowState))),
        "steps": array(object_schema(_CAUSE)),
    }
)

EXPLANATION: Final = object_schema(
    {
        "id": TEXT,
        "name": TEXT,
        "state": STATE,
        "cause": {"enum": [*map(str, CauseKind), None]},
        "text": NULLABLE_TEXT,
        "cure": NULLABLE_TEXT,
        "steps": array(object_schema(_CAUSE, {"items": array(_ITEM_CAUSES)})),
        "more": INTEGER,
    }
)

FLOW: Final = object_schema(
    {"steps": array(OBJECT), "edges": array(array(INTEGER))}, {"name": TEXT, "doc": TEXT, "docs": OBJECT}
)

WORKFLOW: Final = object_schema(
    {
        **SUMMARY["properties"],
        "deadline": TIME,
        "warning": NULLABLE_TEXT,
        "actions": _actions(WorkflowAction),
        "by_hand": array(object_schema({"at": TIME, "event": TEXT, "index": NULLABLE_INTEGER, **_ACTOR})),
        "moment": TEXT,
        "removed": {
            "anyOf": [object_schema({"entries": INTEGER, "since": TIME, "until": TIME}), {"type": "null"}]
        },
        "steps": array(STEP),
        "flow": FLOW,
    },
    {"input": ANY, "output": ANY},
)

STATE_OF_STEPS: Final = object_schema(
    {"state": STATE, "reason": NULLABLE_TEXT, "counts": COUNTS, "steps": array(STEP)}
)

DIAGNOSTIC: Final = object_schema({"line": INTEGER, "column": INTEGER, "message": TEXT, "hint": TEXT})

PROBLEM: Final = object_schema(
    {"type": TEXT, "title": TEXT, "status": INTEGER, "detail": TEXT},
    {"hint": TEXT, "errors": array(OBJECT), "inputs": array(object_schema({"name": TEXT, "message": TEXT}))},
)

WORKFLOW_ID: Final = object_schema({"workflow": TEXT})
