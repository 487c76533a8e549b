"""Delivers the notices that are queued, several at a time, each until it is delivered or given up."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from queue import Empty, SimpleQueue
from typing import Final

from lfr.notices.notice import retry_seconds
from lfr.outbound.delivery_failed import DeliveryFailed
from lfr.outbound.recipients import Recipients
from lfr.store import keys
from lfr.store.notices import (
    QueuedNotice,
    RecipientState,
    failed_commands,
    give_up_commands,
    lease_commands,
    read_recipients,
    report_test_commands,
    sent_commands,
    take_due,
)
from lfr.store.redis.connection import Command, Connection, Store, read_time_ms
from lfr.store.totals import NewTotals
from lfr.values.printable import printable
from lfr.values.times import format_duration
from lfr.worker.threads import ThreadPool

LOGGER = logging.getLogger(__name__)

_THREADS: Final = 16
_MAX_OF_RECIPIENT: Final = 2
"""How many deliveries run at once; how many of them for one recipient."""

_LOOK_SECONDS: Final = 1.0
"""How often to look for notices that are due."""

_STOP_SECONDS: Final = 20.0
"""How long a stop waits for deliveries that run."""

_DEFECT: Final = "a defect in lfr; its log has more"


class Deliveries:
    """The deliveries of this process. One thread calls it; each delivery runs in a thread of its own."""

    def __init__(self, store: Store, recipients: Recipients, totals: NewTotals) -> None:
        self._recipients = recipients
        self._totals = totals
        self._give_up_ms = round(1000 * store.settings.notify_give_up_seconds)
        self._lease_ms = round(1000 * store.settings.lease_seconds)
        self._pool = ThreadPool(_THREADS)
        self._running: dict[str, QueuedNotice] = {}
        self._outcomes: SimpleQueue[tuple[QueuedNotice, DeliveryFailed | None]] = SimpleQueue()
        self._look_at = 0.0
        self._renew_at = 0.0

    def run(self, connection: Connection) -> float:
        """Note the outcomes of deliveries, keep the leases of those that run, and begin those that are due.
        Return the seconds until it is to be called again."""
        outcomes = self._take_outcomes()
        if outcomes:
            self._note(connection, outcomes)
        self._renew(connection)
        now = time.monotonic()
        if outcomes or now >= self._look_at:
            self._look_at = now + _LOOK_SECONDS
            self._begin(connection)
        return 0.05 if self._running else _LOOK_SECONDS

    def look_now(self) -> None:
        """Look for notices that are due at the next call, because some were queued."""
        self._look_at = 0.0

    def finish(self, connection: Connection) -> None:
        """Wait for the deliveries that run, up to 20 s, and note their outcomes."""
        deadline = time.monotonic() + _STOP_SECONDS
        while self._running and time.monotonic() < deadline:
            self._renew(connection)
            try:
                outcome = self._outcomes.get(timeout=0.1)
            except Empty:
                continue
            self._note(connection, [outcome])
        self._pool.close()

    def submit(self, call: Callable[[], None]) -> None:
        """Run a call in a thread of the pool."""
        self._pool.submit(call)

    def _renew(self, connection: Connection) -> None:
        """Keep the leases of the deliveries that run, if it is time to."""
        now = time.monotonic()
        if self._running and now >= self._renew_at:
            self._renew_at = now + self._lease_ms / 4000
            until_ms = read_time_ms(connection) + self._lease_ms
            connection.execute(lease_commands(self._running.values(), until_ms))

    def _begin(self, connection: Connection) -> None:
        states = read_recipients(connection)
        waiting = {name: state for name, state in states.items() if state.queued}
        running = Counter(each.recipient for each in self._running.values())
        free = _THREADS - len(self._running)
        room: dict[str, int] = {}
        for name in waiting:
            room[name] = max(0, min(_MAX_OF_RECIPIENT - running[name], free - sum(room.values())))
        if not any(room.values()):
            return
        for queued in take_due(connection, room, states, self._lease_ms):
            if queued.member not in self._running:  # its lease had ended, but it goes on
                self._running[queued.member] = queued
                self._pool.submit(partial(self._deliver, queued))

    def _deliver(self, queued: QueuedNotice) -> None:
        failure: DeliveryFailed | None = None
        try:
            self._recipients.deliver(queued.recipient, queued.notice)
        except DeliveryFailed as error:
            failure = error
        except Exception:
            LOGGER.exception("%s: %s", queued.recipient, _DEFECT)
            failure = DeliveryFailed(_DEFECT)
        self._outcomes.put((queued, failure))

    def _take_outcomes(self) -> list[tuple[QueuedNotice, DeliveryFailed | None]]:
        outcomes = []
        while True:
            try:
                outcomes.append(self._outcomes.get_nowait())
            except Empty:
                return outcomes

    def _note(
        self, connection: Connection, outcomes: list[tuple[QueuedNotice, DeliveryFailed | None]]
    ) -> None:
        try:
            states, now_ms = read_recipients(connection), read_time_ms(connection)
            commands: list[Command] = []
            numbers: Counter[tuple[str, str]] = Counter()
            for queued, failure in outcomes:
                state = states.get(queued.recipient, RecipientState())
                commands += self._outcome_commands(queued, failure, state, now_ms, numbers)
            connection.transact(commands)
        except Exception:
            for outcome in outcomes:  # Redis is away: they are noted later, or delivered again
                self._outcomes.put(outcome)
            raise
        self._totals.add(keys.NOTICE_TOTALS, numbers)
        for queued, _ in outcomes:
            self._running.pop(queued.member, None)

    def _outcome_commands(
        self,
        queued: QueuedNotice,
        failure: DeliveryFailed | None,
        state: RecipientState,
        now_ms: int,
        numbers: Counter[tuple[str, str]],
    ) -> list[Command]:
        notice, recipient = queued.notice, queued.recipient
        reason = printable(str(failure)) if failure else ""
        if notice.is_test:
            return report_test_commands(queued, reason)
        if failure is None:
            LOGGER.info("%s has got the notice %s", recipient, notice.id)
            numbers["sent", notice.rule] += 1
            return sent_commands(queued, now_ms)
        numbers["failed", notice.rule] += 1
        if now_ms - queued.queued_ms >= self._give_up_ms:
            LOGGER.error("%s does not get the notice %s, which is given up: %s", recipient, notice.id, reason)
            numbers["given_up", notice.rule] += 1
            return give_up_commands(queued, reason, now_ms)
        delay = max(failure.wait_seconds, retry_seconds(queued.failures + 1))
        pause = max(failure.wait_seconds, retry_seconds(state.failures + 1))
        LOGGER.warning(
            "%s does not take the notice %s: %s; trying again in %s",
            *(recipient, notice.id, reason, format_duration(delay)),
        )
        delays_ms = round(1000 * delay), round(1000 * pause)
        return failed_commands(queued, state, reason, delays_ms, now_ms)
