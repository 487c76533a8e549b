"""JSON schemas of what travels (JSON Schema 2020-12, as OpenAPI 3.1 takes them)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from lfr.states import StepState, WorkflowState

Schema: TypeAlias = Mapping[str, Any]

TEXT: Final[Schema] = {"type": "string"}
NUMBER: Final[Schema] = {"type": "integer"}
ANYTHING: Final[Schema] = {}
OBJECT: Final[Schema] = {"type": "object"}
TIME: Final[Schema] = {"type": ["string", "null"], "format": "date-time"}
STATE: Final[Schema] = {"type": "string", "enum": [state.value for state in WorkflowState]}
STEP_STATE: Final[Schema] = {"type": "string", "enum": [state.value for state in StepState]}


def array(items: Schema) -> Schema:
    """A list of these."""
    return {"type": "array", "items": items}


def record(needed: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    """An object with these properties."""
    return {"type": "object", "required": list(needed), "properties": {**needed, **(optional or {})}}


SUMMARY: Final = record({"id": TEXT, "name": TEXT, "state": STATE, "started": TIME, "ended": TIME})

FACT: Final = record(
    {
        "at": TIME,
        "index": {"type": ["integer", "null"]},
        "item": {"type": ["integer", "null"]},
        "event": TEXT,
        "reason": {"type": ["string", "null"]},
    }
)

STEP: Final = record(
    {
        "index": NUMBER,
        "name": TEXT,
        "base": TEXT,
        "kind": TEXT,
        "state": STEP_STATE,
        "started": TIME,
        "ended": TIME,
        "attempt": NUMBER,
        "input": ANYTHING,
        "output": ANYTHING,
        "reason": {"type": ["string", "null"]},
    },
    {"items": OBJECT, "progress": OBJECT, "waits_for": OBJECT},
)

FLOW: Final = record(
    {"steps": array(OBJECT), "edges": array(array(NUMBER))}, {"name": TEXT, "doc": TEXT, "docs": OBJECT}
)

WORKFLOW: Final = record(
    {
        **SUMMARY["properties"],
        "input": ANYTHING,
        "output": ANYTHING,
        "reason": {"type": ["string", "null"]},
        "counts": OBJECT,
        "steps": array(STEP),
        "flow": FLOW,
    }
)

FINDING: Final = record({"line": NUMBER, "column": NUMBER, "message": TEXT, "hint": TEXT})

STARTED: Final = record({"workflow": TEXT})
