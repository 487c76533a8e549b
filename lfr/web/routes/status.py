"""Routes about the server and the installation: version, health, system, Prometheus metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from lfr import __version__
from lfr.operations.access import Access
from lfr.operations.list_workflows import count_workflows
from lfr.operations.status import load_status
from lfr.web.http import Request, Response, json_response, text_response
from lfr.web.route import get
from lfr.web.routes.schemas import (
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
    return json_response(load_status(request.store))


def _get_metrics(request: Request) -> Response:
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.exposition import CONTENT_TYPE_LATEST

    registry = CollectorRegistry()
    registry.register(_Collector(load_status(request.store)))
    return text_response(generate_latest(registry).decode(), CONTENT_TYPE_LATEST)


class _Collector:
    """A collector of prometheus_client over the result of `load_status`."""

    def __init__(self, state: dict[str, Any]) -> None:
        self._state = state

    def collect(self) -> Iterator[Any]:
        """Yield each metric as a gauge: name, help and a number for each value of its label."""
        from prometheus_client.core import GaugeMetricFamily

        for name, help, label, values in _gauges(self._state):
            family = GaugeMetricFamily(name, help, labels=[label] if label else [])
            for value, number in values.items():
                family.add_metric([value] if label else [], number)
            yield family


def _gauges(state: dict[str, Any]) -> Iterator[tuple[str, str, str, dict[str, float]]]:
    """Yield name, help, label name (or empty) and the numbers by label value."""
    processes = Counter(each["role"] for each in state["roles"])
    lengths = {stream["kind"]: stream["length"] for stream in state["streams"]}
    yield "lfr_workflows", "Workflows in Redis, by state.", "state", state["workflows"]
    yield "lfr_stream_length", "Entries of the stream.", "", {"": state["stream"]["length"]}
    yield "lfr_ends_length", "Results that no lifecycle has processed.", "", {"": lengths["ends"]}
    yield "lfr_receipts_length", "Receipts that are not logged.", "", {"": lengths["receipts"]}
    yield "lfr_dead_letters", "Events that could not be understood.", "", {"": state["dead_letters"]}
    yield "lfr_timers", "Timers, by kind.", "kind", state["timers"]
    yield "lfr_latches", "Latches that are not at zero.", "", {"": state["latches"]}
    yield "lfr_processes", "Processes that are alive, by role.", "role", dict(processes)
    yield "lfr_problems", "Problems that lfr status names.", "", {"": len(state["problems"])}
    for name, help, label, key, rows in (
        ("lfr_group_lag", "Entries that a group has not read.", "group", "lag", state["groups"]),
        (
            "lfr_group_pending",
            "Entries that a group has read and not acknowledged.",
            "group",
            "pending",
            state["groups"],
        ),
        (
            "lfr_group_oldest_seconds",
            "How long the oldest entry waits that nobody in a group works on.",
            "group",
            "waits",
            state["groups"],
        ),
        (
            "lfr_queue_length",
            "Entries in the queue of a group of workers.",
            "group",
            "length",
            state["groups"],
        ),
        ("lfr_workers", "Live processes of a group of workers.", "group", "processes", state["groups"]),
        (
            "lfr_unclaimed_tasks",
            "Tasks that wait and that no group of workers has claimed.",
            "task",
            "count",
            state["unclaimed"],
        ),
        (
            "lfr_unclaimed_oldest_seconds",
            "How long the oldest task of this name waits that nobody has claimed.",
            "task",
            "waits",
            state["unclaimed"],
        ),
    ):
        names = "name" if label == "group" else label
        yield name, help, label, {row[names]: row[key] or 0 for row in rows if key in row}


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
        "latches": INTEGER,
        "workflows": COUNTS_BY_STATE,
        "problems": array(TEXT),
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
