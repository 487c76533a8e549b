"""Routes about the server and the installation: version, health, system, Prometheus metrics."""

from __future__ import annotations

from typing import Final

from lfr import __version__
from lfr.operations.access import Access
from lfr.operations.list_workflows import count_workflows
from lfr.operations.metrics import load_metrics
from lfr.operations.status import load_status
from lfr.web.http import Request, Response, json_response, text_response
from lfr.web.prometheus import format_metrics
from lfr.web.route import get
from lfr.web.routes.schemas import (
    BOOLEAN,
    COUNTS_BY_STATE,
    INTEGER,
    NULLABLE_NUMBER,
    NULLABLE_TEXT,
    NUMBER,
    OBJECT,
    TEXT,
    TIME,
    array,
    enum,
    object_schema,
    ok,
)

_STATUS: Final = ok(object_schema({"status": TEXT}))


def _get_version(request: Request) -> Response:
    return json_response({"lfr": __version__})


def _get_liveness(request: Request) -> Response:
    return json_response({"status": "ok"})


def _get_readiness(request: Request) -> Response:
    count_workflows(request.store)  # raises Unreachable if Redis is
    return json_response({"status": "ok"})


def _get_system(request: Request) -> Response:
    settings = request.store.settings
    archives = {"folder": bool(settings.archive_folder), "buckets": list(settings.archive_buckets)}
    return json_response({**load_status(request.store), "archives": archives})


def _get_metrics(request: Request) -> Response:
    text, content_type = format_metrics(load_metrics(request.store))
    return text_response(text, content_type)


_GROUP: Final = object_schema(
    {
        "name": TEXT,
        "kind": enum("role", "workers", "foreign"),
        "consumers": INTEGER,
        "lag": INTEGER,
        "pending": INTEGER,
        "waits": NULLABLE_NUMBER,
        "streams": array(
            object_schema({"key": TEXT, "consumers": INTEGER, "lag": INTEGER, "pending": INTEGER})
        ),
    },
    {
        "claims": array(TEXT),
        "unattended": array(TEXT),
        "processes": INTEGER,
        "length": INTEGER,
        "lapses": NULLABLE_NUMBER,
        "silent": NULLABLE_NUMBER,
        "forgotten": NULLABLE_NUMBER,
    },
)

_UNCLAIMED: Final = object_schema(
    {
        "task": TEXT,
        "count": INTEGER,
        "since": TIME,
        "waits": NUMBER,
        "problem": NULLABLE_TEXT,
        "hint": NULLABLE_TEXT,
    }
)

_SYSTEM: Final = object_schema(
    {
        "redis": OBJECT,
        "roles": array(OBJECT),
        "prefix": TEXT,
        "stream": object_schema({"key": TEXT, "length": INTEGER}),
        "streams": array(
            object_schema(
                {"key": TEXT, "length": INTEGER, "kind": enum("bus", "ends", "receipts", "queue")},
                {"group": TEXT},
            )
        ),
        "groups": array(_GROUP),
        "unclaimed": array(_UNCLAIMED),
        "dead_letters": INTEGER,
        "timers": OBJECT,
        "event_waits": INTEGER,
        "latches": INTEGER,
        "workflows": COUNTS_BY_STATE,
        "problems": array(TEXT),
        "archives": object_schema({"folder": BOOLEAN, "buckets": array(TEXT)}),
    }
)

ROUTES: Final = (
    get("/", _get_version, "Get the version.", responses=ok(object_schema({"lfr": TEXT}))),
    get(
        "/system",
        _get_system,
        "Get the live roles, streams, groups, unclaimed tasks, timers, latches, dead letters and problems.",
        responses=ok(_SYSTEM),
    ),
    get(
        "/health/live",
        _get_liveness,
        "Check that this process serves.",
        access=Access.NONE,
        responses=_STATUS,
    ),
    get("/health/ready", _get_readiness, "Check that Redis answers.", access=Access.NONE, responses=_STATUS),
    get("/metrics", _get_metrics, "Get metrics for Prometheus.", responses={200: {"text/plain": TEXT}}),
)
