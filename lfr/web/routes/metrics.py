"""Figures for Prometheus, in its text format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from lfr.operations.status import load_status
from lfr.web.http import Access, Answer, Request, Route, text_answer
from lfr.web.routes.schemas import TEXT


def _metrics(request: Request) -> Answer:
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.exposition import CONTENT_TYPE_LATEST

    registry = CollectorRegistry()
    registry.register(_State(load_status(request.store)))
    return text_answer(generate_latest(registry).decode(), CONTENT_TYPE_LATEST)


class _State:
    """The state of the installation, as prometheus_client asks for it."""

    def __init__(self, state: dict[str, Any]) -> None:
        self._state = state

    def collect(self) -> Iterator[Any]:
        """Each figure with its name and help."""
        from prometheus_client.core import GaugeMetricFamily

        for name, help, label, values in _figures(self._state):
            family = GaugeMetricFamily(name, help, labels=[label] if label else [])
            for value, number in values.items():
                family.add_metric([value] if label else [], number)
            yield family


def _figures(state: dict[str, Any]) -> Iterator[tuple[str, str, str, dict[str, float]]]:
    """Name, help, name of the label or empty, and the numbers by its values."""
    groups = state["groups"]
    processes = Counter(each["role"] for each in state["roles"])
    yield "lfr_workflows", "Workflows that are kept, by state.", "state", state["workflows"]
    yield "lfr_stream_length", "Events on the stream.", "", {"": state["stream"]["length"]}
    yield "lfr_dead_letters", "Events that could not be understood.", "", {"": state["dead_letters"]}
    yield "lfr_timers", "What is due later, by kind.", "kind", state["timers"]
    yield "lfr_latches", "Latches that are not at zero.", "", {"": state["latches"]}
    yield "lfr_processes", "Processes that are alive, by role.", "role", dict(processes)
    lag = {group["name"]: group["lag"] for group in groups}
    yield "lfr_group_lag", "Events that a group has still to read.", "group", lag
    pending = {group["name"]: group["pending"] for group in groups}
    yield "lfr_group_pending", "Events that a group has read and not dealt with.", "group", pending


ROUTES: Final = (
    Route(
        "GET",
        "/metrics",
        _metrics,
        Access.READ,
        "Figures for Prometheus.",
        answers={200: {"text/plain": TEXT}},
    ),
)
