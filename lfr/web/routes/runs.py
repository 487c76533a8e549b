"""Routes that set runs beside each other: those of a flow, two that are compared."""

from __future__ import annotations

from typing import Final

from lfr.operations.compare_runs import compare_runs
from lfr.operations.flow_runs import MAX_RUNS, describe_runs
from lfr.web.heavy_requests import taking_turns
from lfr.web.http import Request, Response, json_response
from lfr.web.large_responses import comparing, describing_runs
from lfr.web.route import Parameter, get
from lfr.web.routes.schemas import (
    INTEGER,
    NULLABLE_INTEGER,
    NULLABLE_NUMBER,
    NULLABLE_TEXT,
    STATE,
    STEP_STATE,
    SUMMARY,
    TEXT,
    TIME,
    array,
    integer,
    object_schema,
    ok,
)


def _list_runs(request: Request) -> Response:
    return json_response(
        describe_runs(
            request.store,
            request.path["name"],
            count=request.number("size", 30),
            after=request.query.get("next"),
        )
    )


def _compare(request: Request) -> Response:
    return json_response(compare_runs(request.store, request.path["id"], request.path["other"]))


_CELL: Final = {
    **object_schema({"index": INTEGER, "state": STEP_STATE, "seconds": NULLABLE_NUMBER}),
    "type": ["object", "null"],
}

_STATISTICS: Final = object_schema(
    {
        "runs": INTEGER,
        "finished": INTEGER,
        "failed": INTEGER,
        "terminated": INTEGER,
        "running": INTEGER,
        "success": NULLABLE_NUMBER,
        "seconds": object_schema(
            dict.fromkeys(("shortest", "lower", "median", "upper", "longest"), NULLABLE_NUMBER)
        ),
    }
)

_RUN: Final = object_schema({**SUMMARY["properties"], "seconds": NULLABLE_NUMBER, "steps": array(_CELL)})

_COMPARED_RUN: Final = object_schema(
    {
        **{name: SUMMARY["properties"][name] for name in ("id", "name", "version", "reason", "labels")},
        "state": STATE,
        "started": TIME,
        "ended": TIME,
        "seconds": NULLABLE_NUMBER,
    }
)

_COMPARED_STEP: Final = {
    **object_schema(
        {
            "index": INTEGER,
            "state": STEP_STATE,
            "started": TIME,
            "ended": TIME,
            "attempt": INTEGER,
            "tries": INTEGER,
            "reason": NULLABLE_TEXT,
            "seconds": NULLABLE_NUMBER,
        }
    ),
    "type": ["object", "null"],
}

_DIFFERENCES: Final = array(object_schema({"path": TEXT, "first": NULLABLE_TEXT, "second": NULLABLE_TEXT}))

_IS_EQUAL: Final = {"type": ["boolean", "null"]}

ROUTES: Final = (
    get(
        "/flows/{name}/runs",
        taking_turns(describing_runs(_list_runs)),
        "Describe the latest runs of a flow beside each other: how each ended, the state of each step, how "
        "long they took. The flow need not be stored.",
        query=(
            Parameter("size", integer(1, MAX_RUNS), "how many runs (30)"),
            Parameter("next", TEXT, "only runs behind this cursor"),
        ),
        responses=ok(
            object_schema(
                {
                    "name": TEXT,
                    "version": NULLABLE_INTEGER,
                    "next": NULLABLE_TEXT,
                    "runs": array(_RUN),
                    "steps": array(object_schema({"title": TEXT, "seconds": NULLABLE_NUMBER})),
                    "statistics": _STATISTICS,
                }
            )
        ),
        problems=(400, 503),
    ),
    get(
        "/workflows/{id}/compare/{other}",
        comparing(_compare),
        "Compare a workflow with another one: flows, inputs, outputs, and the state of each step.",
        responses=ok(
            object_schema(
                {
                    "first": _COMPARED_RUN,
                    "second": _COMPARED_RUN,
                    "changes": array(TEXT),
                    "input": _DIFFERENCES,
                    "output": _DIFFERENCES,
                    "steps": array(
                        object_schema(
                            {
                                "title": TEXT,
                                "first": _COMPARED_STEP,
                                "second": _COMPARED_STEP,
                                "input": _IS_EQUAL,
                                "output": _IS_EQUAL,
                            }
                        )
                    ),
                }
            )
        ),
        problems=(400, 404, 503),
    ),
)
