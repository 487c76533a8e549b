"""The route that lists the tasks by name."""

from __future__ import annotations

from typing import Final

from lfr.operations.task_list import list_tasks
from lfr.web.http import Request, Response, json_response
from lfr.web.route import get
from lfr.web.routes.schemas import (
    BOOLEAN,
    INTEGER,
    NULLABLE_INTEGER,
    NULLABLE_NUMBER,
    NULLABLE_TEXT,
    OBJECT,
    TEXT,
    TIME,
    array,
    enum,
    object_schema,
    ok,
)


def _list(request: Request) -> Response:
    return json_response(list_tasks(request.store))


_PROCESS: Final = object_schema({"name": TEXT, "host": TEXT, "pid": INTEGER, "version": TEXT, "since": TIME})

_TASK: Final = object_schema(
    {
        "task": TEXT,
        "group": NULLABLE_TEXT,
        "kind": enum("workers", "role", "foreign", "nobody"),
        "processes": array(_PROCESS),
        "process_count": INTEGER,
        "waiting": NULLABLE_INTEGER,
        "running": NULLABLE_INTEGER,
        "oldest": NULLABLE_NUMBER,
        "shares_queue": BOOLEAN,
        "workflows": NULLABLE_INTEGER,
        "ended": INTEGER,
        "failed": INTEGER,
        "retried": INTEGER,
        "mean": NULLABLE_NUMBER,
        "median": NULLABLE_NUMBER,
        "last": {**OBJECT, "type": ["object", "null"]},
        "never": BOOLEAN,
        "problem": NULLABLE_TEXT,
        "hint": NULLABLE_TEXT,
        "warning": NULLABLE_TEXT,
    }
)

ROUTES: Final = (
    get(
        "/tasks",
        _list,
        "List the tasks by name: who does each, how fast, how many wait; those first that nobody does.",
        responses=ok(array(_TASK)),
    ),
)
