"""A role's process shows that it is alive: to systemd (READY, STATUS, WATCHDOG), and to Redis.

A sign is given once every consumer of the process has completed a pass since the last one. A failed try to
reach Redis counts as a pass, since it is bounded in time: so a loop that hangs is noticed, and a Redis
that is away starts no storm of restarts. No thread of its own: who only could say that the process is
there would say nothing of its work.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from uuid import uuid4

from lfr import __version__, events
from lfr.host.systemd import ServiceManager
from lfr.runtime.consumer import LONGEST_BACKOFF_SECONDS, Consumer
from lfr.store.processes import Process, heartbeat_commands, remove_process_commands
from lfr.store.redis.connection import Connection
from lfr.store.stream.groups import Group, groups_command, parse_groups

_EVERY_SECONDS: Final = 2.0

_TIME_OUTS_IN_A_PASS: Final = 2.0
"""To connect, and to read: with the pause before, that is how long a try to reach Redis may take. A watchdog
that waits less is asked to wait so long."""


def this_process(name: str) -> Process:
    """This process, that runs the role of this name, as it is told in Redis."""
    host = socket.gethostname()
    return Process(
        id=f"{name} {host} {os.getpid()} {uuid4().hex[:8]}",
        role=name.partition(".")[0],
        name=name,
        host=host,
        pid=os.getpid(),
        version=__version__,
        since=events.timestamp(time.time()),
    )


class HeartbeatMonitor:
    """Watches the consumers of this process. `name`: the role, perhaps with a number (`lifecycle.2`)."""

    def __init__(self, name: str, consumers: Sequence[Consumer], supervisor: ServiceManager) -> None:
        self._supervisor = supervisor
        self._listeners = consumers
        self._groups = {consumer.id.group for consumer in consumers}
        self._passes = dict.fromkeys(consumers, 0)
        self._seen = dict(self._passes)
        self._why: dict[Consumer, str] = {}
        self._lock = threading.Lock()
        self._due = 0.0
        self._is_ready = False
        self._about = this_process(name)
        supervisor.notify(*self._more_patience())
        self._every_seconds = min(_EVERY_SECONDS, (supervisor.watchdog_seconds or 60) / 3)

    def pass_completed(self, consumer: Consumer, connection: Connection) -> None:
        """A pass is complete: give a sign, if it is time and all the others are well too."""
        self._passes[consumer] += 1
        self._why.pop(consumer, None)
        if self._is_time():
            reply = connection.execute(
                [*heartbeat_commands(self._now()), groups_command(consumer.store.stream)], keep_errors=True
            )
            self._tell(parse_groups(reply[-1]))

    def disconnected(self, consumer: Consumer, why: str) -> None:
        """Redis is not there: that is no reason to be killed, but one that is told."""
        self._passes[consumer] += 1
        self._why[consumer] = why
        if self._is_time():
            self._tell([])

    def stopping(self) -> None:
        """The process has been told to stop, and finishes what it has begun."""
        self._supervisor.notify("STOPPING=1", "STATUS=finishes what it has begun")

    def gone(self, connection: Connection) -> None:
        """The last word, in Redis: so nobody waits for the sign to expire."""
        connection.execute(remove_process_commands(self._about))

    def _more_patience(self) -> list[str]:
        """What the supervisor is asked, if its watchdog waits less than a try to reach Redis may take."""
        timeout = max(consumer.store.settings.redis_timeout_seconds for consumer in self._listeners)
        least = LONGEST_BACKOFF_SECONDS + _TIME_OUTS_IN_A_PASS * timeout
        asks = 0 < self._supervisor.watchdog_seconds < least
        return [f"WATCHDOG_USEC={int(least * 1e6)}"] if asks else []

    def _is_time(self) -> bool:
        """Whether a sign is due. Of threads that ask at once, one is told so."""
        now = time.monotonic()
        if now < self._due:
            return False
        with self._lock:
            if now < self._due or any(self._passes[each] == self._seen[each] for each in self._listeners):
                return False
            self._due = now + self._every_seconds
            self._seen = dict(self._passes)
            return True

    def _now(self) -> Process:
        passes, taken = sum(self._passes.values()), sum(each.event_count for each in self._listeners)
        return replace(self._about, passes=passes, events=taken)

    def _tell(self, all_groups: Sequence[Group]) -> None:
        told = [f"STATUS={self._status(all_groups)}", "WATCHDOG=1"]
        if not self._is_ready:
            told.append("READY=1")
            self._is_ready = True
        self._supervisor.notify(*told)

    def _status(self, all_groups: Sequence[Group]) -> str:
        for why in list(self._why.values()):
            return f"{why}; trying again"
        ours = [group for group in all_groups if group.name in self._groups]
        lags = [group.lag for group in ours if group.lag is not None]
        lag = f"{sum(lags):,} to read, " if len(lags) == len(ours) else ""
        now = self._now()
        pending = sum(group.pending for group in ours)
        return f"{lag}{pending:,} pending; {now.events:,} events taken in {now.passes:,} passes"
