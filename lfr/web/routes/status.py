"""Routes about the server and the installation: version, health, system, Prometheus metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from lfr import __version__
from lfr.operations.list_workflows import count_workflows
from lfr.operations.status import load_status
from lfr.web.http import Request, Response, json_response, text_response
from lfr.web.route import Access, get
from lfr.web.routes.schemas import OBJECT, TEXT, object_schema, ok

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
    groups = state["groups"]
    processes = Counter(each["role"] for each in state["roles"])
    yield "lfr_workflows", "Workflows in Redis, by state.", "state", state["workflows"]
    yield "lfr_stream_length", "Entries of the stream.", "", {"": state["stream"]["length"]}
    yield "lfr_dead_letters", "Events that could not be understood.", "", {"": state["dead_letters"]}
    yield "lfr_timers", "Timers, by kind.", "kind", state["timers"]
    yield "lfr_latches", "Latches that are not at zero.", "", {"": state["latches"]}
    yield "lfr_processes", "Processes that are alive, by role.", "role", dict(processes)
    lag = {group["name"]: group["lag"] for group in groups}
    yield "lfr_group_lag", "Entries that a group has not read.", "group", lag
    pending = {group["name"]: group["pending"] for group in groups}
    yield "lfr_group_pending", "Entries that a group has read and not acknowledged.", "group", pending


ROUTES: Final = (
    get("/", _get_version, "Get the version.", responses=ok(object_schema({"lfr": TEXT}))),
    get(
        "/system",
        _get_system,
        "Get the live roles, the stream, its groups, timers, latches and dead letters.",
        responses=ok(OBJECT),
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
