"""Loads what the metrics show: what `lfr status` shows, and the totals that processes store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lfr.operations.status import load_status
from lfr.store import keys
from lfr.store.notices import read_recipients
from lfr.store.redis.connection import Store, read_time_ms
from lfr.store.schedules import read_oldest_due_ms
from lfr.store.statistics import count_held_starts
from lfr.store.totals import load_totals
from lfr.store.traces import TRACES_NAME


@dataclass(frozen=True, slots=True)
class Metrics:
    """What the metrics show.

    status         as `load_status` describes it
    late_seconds   how long the schedule that is to be decided first has waited; 0: none is due
    held_starts    how many attempts pauses hold back
    flow_totals    by flow, or `other`: how many workflows have started, finished, failed, were terminated
    notice_totals  by rule of notices, or `other`: how many were sent, counted only, tried in vain, given up,
                   dropped
    queued_notices by recipient: how many notices wait for it
    trace_totals   of exports of spans: how many workflows and spans were sent, spans rejected, tries in vain,
                   workflows refused or dropped
    task_totals    by task, or `other`: how many attempts have ended, failed, were retried, and how many
                   took how long, see `lfr.store.totals`
    """

    status: dict[str, Any]
    late_seconds: float
    held_starts: int
    flow_totals: dict[str, dict[str, int]]
    task_totals: dict[str, dict[str, int]]
    notice_totals: dict[str, dict[str, int]]
    queued_notices: dict[str, int]
    trace_totals: dict[str, int]


def load_metrics(store: Store) -> Metrics:
    """Return what the metrics show now. Raises Unreachable, Refused."""
    status = load_status(store)
    with store.connect() as connection:
        due_ms, now_ms = read_oldest_due_ms(connection), read_time_ms(connection)
        return Metrics(
            status=status,
            late_seconds=0.0 if due_ms is None else max(0, now_ms - due_ms) / 1000,
            held_starts=count_held_starts(connection),
            flow_totals=load_totals(connection, keys.FLOW_TOTALS),
            task_totals=load_totals(connection, keys.TASK_TOTALS),
            notice_totals=load_totals(connection, keys.NOTICE_TOTALS),
            queued_notices={name: state.queued for name, state in read_recipients(connection).items()},
            trace_totals=load_totals(connection, keys.TRACE_TOTALS).get(TRACES_NAME, {}),
        )
