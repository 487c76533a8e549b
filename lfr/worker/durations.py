"""Measures for the metrics how long tasks take in their worker."""

from __future__ import annotations

import inspect
import time
from bisect import bisect_left
from collections.abc import Awaitable

from lfr import events
from lfr.store import keys
from lfr.store.totals import DURATION_BOUNDS, DURATION_SUM, NewTotals
from lfr.values.json import Json
from lfr.worker.suspects import Work


def measured(work: Work, totals: NewTotals) -> Work:
    """Return `work`, with the duration of each task added to the totals, also if it raises."""

    def call(task: events.StartTask) -> Json | Awaitable[Json]:
        started = time.monotonic()
        is_awaited = False
        try:
            output = work(task)
            if inspect.isawaitable(output):
                is_awaited = True
                return wait(task, output, started)
            return output
        finally:
            if not is_awaited:
                _note(totals, task.base, time.monotonic() - started)

    async def wait(task: events.StartTask, output: Awaitable[Json], started: float) -> Json:
        try:
            return await output
        finally:
            _note(totals, task.base, time.monotonic() - started)

    return call


def _note(totals: NewTotals, task: str, seconds: float) -> None:
    bucket = f"le{bisect_left(DURATION_BOUNDS, seconds)}"
    totals.add(keys.TASK_TOTALS, {(bucket, task): 1, (DURATION_SUM, task): round(1e6 * seconds)})
