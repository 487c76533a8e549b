"""Heartbeats of a role's process: to systemd (READY, STATUS, WATCHDOG) and to Redis.

A heartbeat is sent once every consumer of the process has completed a pass since the last one. A failed try
to reach Redis counts as a pass, since it is bounded in time: so a hanging loop is noticed, and an outage of
Redis does not restart every role. There is no heartbeat thread: it would keep beating while a loop hangs.
Heartbeats to Redis take along what the consumers have counted for the metrics.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final
from uuid import uuid4

from lfr import __version__
from lfr.host.systemd import ServiceManager
from lfr.runtime.consumer import LONGEST_BACKOFF_SECONDS, Consumer
from lfr.store.processes import Process, heartbeat_commands, remove_process_commands
from lfr.store.redis.connection import Command, Connection, read_time_ms
from lfr.store.stream.groups import Group, read_groups
from lfr.store.totals import DURATION_SUM, TotalsWriter
from lfr.values.times import format_timestamp

_INTERVAL_SECONDS: Final = 2.0

_TIME_OUTS_PER_PASS: Final = 2.0
"""A try to reach Redis takes up to the longest backoff, the time to ask Sentinels, and two time-outs: to
connect, and to read. A watchdog that waits less is asked to wait that long."""


def this_process(name: str, claims: Mapping[str, Sequence[str]]) -> Process:
    """Return a description of this process, which runs the role of this name, with a new unique id. `claims`
    are the tasks that it claims, by group."""
    host = socket.gethostname()
    return Process(
        id=f"{name} {host} {os.getpid()} {uuid4().hex[:8]}",
        role=name.partition(".")[0],
        name=name,
        host=host,
        pid=os.getpid(),
        version=__version__,
        since=format_timestamp(time.time()),
        claims=claims,
    )


class HeartbeatMonitor:
    """Observes the consumers of this process and sends heartbeats while all of them complete passes.

    `name` is the role, with a number if several run on this host (`lifecycle.2`).
    """

    def __init__(self, name: str, consumers: Sequence[Consumer], supervisor: ServiceManager) -> None:
        self._supervisor = supervisor
        self._consumers = consumers
        self._forget_seconds = consumers[0].store.settings.tasks_forget_seconds
        self._passes = dict.fromkeys(consumers, 0)
        self._passes_at_last_beat = dict(self._passes)
        self._outages: dict[Consumer, str] = {}  # the reason why a consumer cannot reach Redis
        self._ended_consumers: set[Consumer] = set()
        self._totals_writer = TotalsWriter()
        self._lock = threading.Lock()
        self._next_beat_at = 0.0
        self._is_ready = False
        self._is_stopping = False
        claims = {consumer.id.group: consumer.claims for consumer in consumers if consumer.claims}
        self._process = this_process(name, claims)
        supervisor.notify(*self._watchdog_request())
        self._interval_seconds = min(_INTERVAL_SECONDS, (supervisor.watchdog_seconds or 60) / 3)

    def heartbeat_commands(self) -> list[Command]:
        """Return the commands of a heartbeat now."""
        return heartbeat_commands(self._current_process(), self._forget_seconds)

    def pass_completed(self, consumer: Consumer, connection: Connection) -> None:
        """Count a completed pass. Send a heartbeat if it is due and all other consumers are alive."""
        self._passes[consumer] += 1
        self._outages.pop(consumer, None)
        if self._is_due():
            totals = self._totals_commands(connection)
            connection.execute([*self.heartbeat_commands(), *totals], keep_errors=True)
            self._notify_supervisor(self._read_own_groups(connection))

    def disconnected(self, consumer: Consumer, reason: str) -> None:
        """Count a failed try to reach Redis as a pass, and report the reason to the supervisor."""
        self._passes[consumer] += 1
        self._outages[consumer] = reason
        if self._is_due():
            self._notify_supervisor([])

    def has_left(self, consumer: Consumer) -> None:
        """Wait for no more passes of a consumer that has left its group, while others finish their tasks."""
        with self._lock:
            self._ended_consumers.add(consumer)

    def stopping(self) -> None:
        """Report to the supervisor that the process has been asked to stop."""
        self._is_stopping = True
        self._supervisor.notify("STOPPING=1", "STATUS=finishes what it has begun")

    def remove(self, connection: Connection) -> None:
        """Store the totals, and remove the process, so that nobody waits for its heartbeat to expire."""
        totals = self._totals_commands(connection)
        connection.execute([*remove_process_commands(self._process), *totals], keep_errors=True)

    def _totals_commands(self, connection: Connection) -> list[Command]:
        """Return the commands that store what the consumers have counted since the last call."""
        numbers: Counter[tuple[str, str, str]] = Counter()
        served: dict[str, str] = {}
        for consumer in self._consumers:
            consumer.complete_totals(connection)
            own = consumer.totals.take()
            numbers.update(own)
            if consumer.claims:
                served |= {name: consumer.id.group for _, what, name in own if what == DURATION_SUM}
        commands = self._totals_writer.commands(connection, numbers)
        if served:
            commands += self._totals_writer.served_commands(served, read_time_ms(connection))
        return commands

    def _watchdog_request(self) -> list[str]:
        """Return the request for a longer watchdog, if a try to reach Redis may take longer than it waits."""
        stores = [consumer.store for consumer in self._consumers]
        timeout = max(store.settings.redis_timeout_seconds for store in stores)
        asking = max(store.longest_ask_seconds for store in stores)
        least_seconds = LONGEST_BACKOFF_SECONDS + asking + _TIME_OUTS_PER_PASS * timeout
        is_short = 0 < self._supervisor.watchdog_seconds < least_seconds
        return [f"WATCHDOG_USEC={int(least_seconds * 1e6)}"] if is_short else []

    def _is_due(self) -> bool:
        """Return whether a heartbeat is due: to one thread, if several ask at once."""
        if time.monotonic() < self._next_beat_at:
            return False
        with self._lock:
            now = time.monotonic()
            waits_for_pass = any(
                count == self._passes_at_last_beat[consumer] and consumer not in self._ended_consumers
                for consumer, count in self._passes.items()
            )
            if now < self._next_beat_at or waits_for_pass:
                return False
            self._next_beat_at = now + self._interval_seconds
            self._passes_at_last_beat = dict(self._passes)
            return True

    def _current_process(self) -> Process:
        event_count = sum(consumer.event_count for consumer in self._consumers)
        passes, clock_ms = sum(self._passes.values()), round(1000 * time.time())
        return replace(self._process, passes=passes, events=event_count, clock_ms=clock_ms)

    def _read_own_groups(self, connection: Connection) -> list[Group]:
        """Return the groups of the consumers, on each of their streams. (XINFO GROUPS)"""
        ids = {(id.stream, id.group) for consumer in self._consumers for id in consumer.ids}
        return [
            group
            for stream in sorted({stream for stream, _ in ids})
            for group in read_groups(connection, stream)
            if (stream, group.name) in ids
        ]

    def _notify_supervisor(self, groups: Sequence[Group]) -> None:
        if self._is_stopping:
            self._supervisor.notify("WATCHDOG=1")
            return
        assignments = [f"STATUS={self._status(groups)}", "WATCHDOG=1"]
        if not self._is_ready:
            assignments.append("READY=1")
            self._is_ready = True
        self._supervisor.notify(*assignments)

    def _status(self, groups: Sequence[Group]) -> str:
        for reason in list(self._outages.values()):
            return f"{reason}; trying again"
        lags = [group.lag for group in groups if group.lag is not None]
        lag = f"{sum(lags):,} to read, " if len(lags) == len(groups) else ""
        pending = sum(group.pending for group in groups)
        process = self._current_process()
        return f"{lag}{pending:,} pending; {process.events:,} events taken in {process.passes:,} passes"
