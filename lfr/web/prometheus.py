"""Formats metrics as Prometheus reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Any, Final

from lfr.operations.metrics import Metrics
from lfr.store.totals import DURATION_BOUNDS

_WORKFLOW_TOTALS: Final = {
    "started": "Workflows that have started, by flow.",
    "finished": "Workflows that have finished, by flow.",
    "failed": "Workflows that have failed, by flow.",
    "terminated": "Workflows that were terminated, by flow.",
}

_TASK_TOTALS: Final = {
    "ended": "Attempts of a task that have succeeded.",
    "failed": "Attempts of a task that have failed, and made their step fail.",
    "retried": "Attempts of a task that have failed, with another one to follow.",
}

_NOTICE_TOTALS: Final = {
    "sent": "Notices that a recipient has taken.",
    "counted": "Notices that were only counted, in a quiet time.",
    "failed": "Tries to deliver a notice that have failed.",
    "given_up": "Notices that could not be delivered for too long.",
    "dropped": "Notices that were dropped because too many waited.",
}

_TRACE_TOTALS: Final = {
    "sent": "Workflows whose spans the receiver has taken.",
    "spans": "Spans that were in what the receiver has taken.",
    "rejected": "Spans of these that the receiver has rejected.",
    "failed": "Exports of spans that have failed, and were tried again.",
    "refused": "Workflows whose spans the receiver has refused for good.",
    "dropped": "Workflows that were not exported: too many waited, or they were deleted before.",
}

_GROUP_GAUGES: Final = {
    "lag": ("lfr_group_lag", "Entries that a group has not read."),
    "pending": ("lfr_group_pending", "Entries that a group has read and not acknowledged."),
    "waits": (
        "lfr_group_oldest_seconds",
        "How long the oldest entry waits that nobody in a group works on.",
    ),
    "length": ("lfr_queue_length", "Entries in the queue of a group of workers."),
    "processes": ("lfr_workers", "Live processes of a group of workers."),
}

_UNCLAIMED_GAUGES: Final = {
    "count": ("lfr_unclaimed_tasks", "Tasks that wait and that no group of workers has claimed."),
    "waits": (
        "lfr_unclaimed_oldest_seconds",
        "How long the oldest task of this name waits that nobody has claimed.",
    ),
}


def format_metrics(metrics: Metrics) -> tuple[str, str]:
    """Return metrics in the text format of Prometheus, and its media type."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.exposition import CONTENT_TYPE_LATEST

    registry = CollectorRegistry()
    registry.register(_Collector(metrics))
    return generate_latest(registry).decode(), CONTENT_TYPE_LATEST


class _Collector:
    """A collector of prometheus_client."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Any]:
        """Yield each metric with its numbers."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        metrics = self._metrics
        for name, help, label, values in _gauges(metrics):
            gauge = GaugeMetricFamily(name, help, labels=[label] if label else [])
            for value, number in values.items():
                gauge.add_metric([value] if label else [], number)
            yield gauge
        for prefix, label, helps, totals in (
            ("lfr_workflows_", "flow", _WORKFLOW_TOTALS, metrics.flow_totals),
            ("lfr_tasks_", "task", _TASK_TOTALS, metrics.task_totals),
            ("lfr_notices_", "rule", _NOTICE_TOTALS, metrics.notice_totals),
            ("lfr_traces_", "", _TRACE_TOTALS, {"": metrics.trace_totals}),
        ):
            for what, help in helps.items():
                counter = CounterMetricFamily(prefix + what, help, labels=[label] if label else [])
                for value, numbers in totals.items():
                    counter.add_metric([value] if label else [], numbers.get(what, 0))
                yield counter
        yield _durations(metrics.task_totals)


def _durations(task_totals: Mapping[str, Mapping[str, int]]) -> Any:
    from prometheus_client.core import HistogramMetricFamily

    help = "How long workers of lfr took for a task, by its name."
    histogram = HistogramMetricFamily("lfr_task_seconds", help, labels=["task"])
    bounds = [*map(str, DURATION_BOUNDS), "+Inf"]
    for task, numbers in task_totals.items():
        counts = [numbers.get(f"le{index}", 0) for index in range(len(bounds))]
        if any(counts):
            buckets = list(zip(bounds, accumulate(counts), strict=True))
            histogram.add_metric([task], buckets, numbers.get("microseconds", 0) / 1e6)
    return histogram


def _gauges(metrics: Metrics) -> Iterator[tuple[str, str, str, Mapping[str, float]]]:
    """Yield name, help, label name (or empty) and the numbers by label value."""
    status = metrics.status
    processes = Counter(each["role"] for each in status["roles"])
    lengths = {stream["kind"]: stream["length"] for stream in status["streams"]}
    yield "lfr_workflows", "Workflows in Redis, by state.", "state", status["workflows"]
    yield "lfr_stream_length", "Entries of the stream.", "", {"": status["stream"]["length"]}
    yield "lfr_ends_length", "Results that no lifecycle has processed.", "", {"": lengths["ends"]}
    yield "lfr_receipts_length", "Receipts that are not logged.", "", {"": lengths["receipts"]}
    yield "lfr_dead_letters", "Events that could not be understood.", "", {"": status["dead_letters"]}
    yield "lfr_timers", "Timers, by kind.", "kind", status["timers"]
    yield "lfr_event_waits", "Steps that wait for events.", "", {"": status["event_waits"]}
    yield "lfr_latches", "Latches that are not at zero.", "", {"": status["latches"]}
    yield "lfr_processes", "Processes that are alive, by role.", "role", dict(processes)
    yield "lfr_problems", "Problems that lfr status names.", "", {"": len(status["problems"])}
    yield from _redis_gauges(status["redis"])
    yield from _schedule_gauges(metrics)
    yield "lfr_pauses", "Pauses that are in force.", "", {"": status["paused"]}
    yield "lfr_held_starts", "Attempts that pauses hold back.", "", {"": metrics.held_starts}
    queued = {"": status["traces"]["queued"]}
    yield "lfr_traces_queued", "Workflows whose spans wait for their export.", "", queued
    yield "lfr_notices_queued", "Notices that wait for a recipient.", "recipient", metrics.queued_notices
    for label, key, gauges, rows in (
        ("group", "name", _GROUP_GAUGES, status["groups"]),
        ("task", "task", _UNCLAIMED_GAUGES, status["unclaimed"]),
    ):
        for field, (name, help) in gauges.items():
            yield name, help, label, {row[key]: row[field] or 0 for row in rows if field in row}


def _redis_gauges(redis: Mapping[str, Any]) -> Iterator[tuple[str, str, str, Mapping[str, float]]]:
    may_ask = redis["is_known"]
    memory = {"": redis["memory"]} if may_ask else {}
    limit = {"": redis["max_memory"]} if may_ask else {}
    yield "lfr_redis_memory_bytes", "Memory that Redis uses.", "", memory
    yield "lfr_redis_max_memory_bytes", "Memory that Redis may use; 0: no limit.", "", limit


def _schedule_gauges(metrics: Metrics) -> Iterator[tuple[str, str, str, Mapping[str, float]]]:
    schedules = metrics.status["schedules"]
    problems = Counter({"paused": 0, "missed": 0, "refused": 0})
    problems.update(text.partition(":")[0] for text in schedules["problems"].values())
    due, late = {"": schedules["due"]}, {"": metrics.late_seconds}
    yield "lfr_schedules", "Schedules.", "", {"": schedules["count"]}
    yield "lfr_schedules_due", "Schedules that are neither paused nor over.", "", due
    yield "lfr_schedule_late_seconds", "How long the oldest time of a schedule waits.", "", late
    yield "lfr_schedule_problems", "Schedules with a problem, by problem.", "problem", dict(problems)
