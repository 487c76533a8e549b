"""Examines an installation as a whole: `lfr doctor`."""

from __future__ import annotations

import time
from collections.abc import Iterator

from lfr.operations.doctor.finding import Finding, Severity
from lfr.operations.doctor.group_findings import IDLE_SECONDS, examine_groups
from lfr.operations.doctor.redis_findings import examine_clocks, examine_server
from lfr.operations.doctor.workflow_findings import examine_workflows
from lfr.operations.status import load_status
from lfr.store.leftovers import scan_keys
from lfr.store.queues.workforce import read_workforce
from lfr.store.redis.connection import Store, read_time_ms
from lfr.store.statistics import read_statistics


def examine(store: Store, *, idle_seconds: float = IDLE_SECONDS) -> Iterator[Finding]:
    """Yield what is wrong with an installation. Looks at each key of workflows once, and changes nothing.

    A consumer of a process that is gone counts after `idle_seconds`. What `lfr status` calls a problem is a
    finding, too. Raises Unreachable, Refused.
    """
    with store.connect() as connection:
        now_ms, own_ms = read_time_ms(connection), round(1000 * time.time())
        server = read_statistics(connection, store.stream).server
        workforce = read_workforce(connection, store.stream)
        yield from examine_server(connection, server)
        yield from examine_clocks(now_ms, own_ms, list(workforce.heartbeats))
        status = load_status(store)
        for problem in status["problems"]:
            is_of_server = problem in status["redis"]["warnings"]
            yield Finding(Severity.ERROR if is_of_server else Severity.WARNING, "status", problem)
        space = scan_keys(connection)
        yield from examine_groups(store, connection, workforce, space.queue_groups, idle_seconds)
        yield from examine_workflows(store, connection, space)
