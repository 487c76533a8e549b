"""Waits for workflows: for a time, for an event, for a latch. All of it stands in Redis, so a restart loses
nothing, and a wait costs this process nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, TypeVar

from lfr.roles.wait_classify import sort_news
from lfr.runtime.complete import complete_tasks
from lfr.runtime.consumer import Consumer
from lfr.runtime.process import RoleContext, run_consumers
from lfr.store.redis.connection import Connection, Store
from lfr.store.stream.entries import Entry, acknowledge_command
from lfr.store.waits.deliver_event import FEW, MANY, Arrival, Outcome, take_arrivals
from lfr.store.waits.latches import do_latch_steps, end_countdowns, let_go
from lfr.store.waits.match_index import forget_field_sets
from lfr.store.waits.start import cancel_waits, keep_delays
from lfr.store.waits.start_event_waits import keep_event_waits
from lfr.store.waits.timers import fire_due, look

_SOON_SECONDS: Final = 0.02
"""In how many seconds to look again for what another role is about to finish."""

_TIDY_EVERY_SECONDS: Final = 10.0

T = TypeVar("T")


class WaitTasks(Consumer):
    """Keeps waits and ends them. Any number of these may run side by side."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, "wait")
        self._retain_ms = round(1000 * store.settings.events_retain_seconds)
        self._tidy_at = 0.0

    def on_pass(self, connection: Connection) -> float:
        """End some of what ends without an event; in how many seconds something is next."""
        due = look(connection)
        if time.monotonic() >= self._tidy_at:
            self._tidy_at = time.monotonic() + _TIDY_EVERY_SECONDS
            forget_field_sets(connection, due.now_ms)
        if due.opened:
            let_go(connection, self.store.stream, due.now_ms)
        if due.is_due:
            fire_due(connection, self.store.stream, due.now_ms, count=self.store.settings.batch)
        if due.opened or due.is_due:
            return 0.0  # there may be more
        seconds = super().on_pass(connection) if due.next_ms is None else (due.next_ms - due.now_ms) / 1000
        if due.countdowns:
            self._acknowledge_now(connection)
            end_countdowns(connection, self.id, due.now_ms)
            return min(seconds, _SOON_SECONDS)
        return seconds

    def process_batch(self, connection: Connection, batch: Sequence[Entry]) -> None:
        """Deal with the events of a pass, each in one transaction with its acknowledgement.

        The order does not matter to waits and events: what is older goes by the stream.
        """
        news = sort_news(batch)
        self.acknowledge_later(news.foreign)
        complete_tasks(connection, self.id, news.failures)
        _do_all(news.delays, partial(keep_delays, connection, self.id))
        _do_all(news.event_waits, partial(keep_event_waits, connection, self.id, retain_ms=self._retain_ms))
        if news.latch_steps:
            self._acknowledge_now(connection)
        _do_all(news.latch_steps, partial(do_latch_steps, connection, self.id, first=batch[0].id))
        _do_all(list(news.cancels.items()), lambda some: cancel_waits(connection, self.id, dict(some)))
        self._take(connection, news.arrivals)

    def _take(self, connection: Connection, arrivals: Sequence[Arrival]) -> None:
        """Let events end waits: all at once; one by one those that end many, or if that is refused."""
        if not arrivals:
            return
        take = partial(take_arrivals, connection, self.id, retain_ms=self._retain_ms)
        outcome = take(arrivals, most=FEW)
        for arrival in arrivals if outcome.is_refused else outcome.unfinished:
            outcome = Outcome(is_refused=True, unfinished=())
            while outcome.is_refused or outcome.unfinished:
                outcome = take([arrival], most=MANY)

    def _acknowledge_now(self, connection: Connection) -> None:
        """What this role has read and found foreign must not stand as pending: it would be waited for."""
        if self._done:
            done, self._done = self._done, []
            connection.execute([acknowledge_command(self.id, done)])


def _do_all(items: Sequence[T], do: Callable[[Sequence[T]], bool]) -> None:
    """Do all at once; if that is refused, one by one, each until it is done."""
    if items and not do(items):
        for item in items:
            while not do([item]):
                pass


def run(store: Store, context: RoleContext) -> int:
    """Run the role until it is stopped; the process's exit code."""
    return run_consumers(context, [WaitTasks(store)])
