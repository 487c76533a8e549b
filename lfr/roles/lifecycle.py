"""The orchestrator: end-task -> start-task. Read; load; advance each workflow; commit.

This screen is the way of the data. `Consumer` reads the events of a pass and hands them to
`process_batch`; all that they change is written by one transaction, with their acknowledgement. What they
tell of iterated steps has transactions of its own, one for each workflow.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lfr.lifecycle.advance_batch import advance_all
from lfr.lifecycle.classify import Judgement, judge
from lfr.lifecycle.deadlines import StepClock
from lfr.lifecycle.items import Iteration
from lfr.lifecycle.log import log_transitions
from lfr.runtime.consumer import Consumer
from lfr.runtime.process import RoleContext, run_consumers
from lfr.store.redis.connection import Command, Connection, Store
from lfr.store.stream.entries import Entry
from lfr.store.workflows.commit import commit, transition_commands
from lfr.store.workflows.flows import FlowCache
from lfr.store.workflows.load import load, load_out_of_band_outputs

_MOST_AT_ONCE: Final = 64 * 2**20
"""How many bytes the events of a transaction, and what they hand on, may have, unless it is one event. Redis
hangs up on who has sent it more than 1 GiB of a transaction."""


class _TooMuch(Exception):
    """These events are too much for one transaction."""


class Lifecycle(Consumer):
    """Moves workflows on. Any number of these may run side by side."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, "lifecycle")
        self._flows = FlowCache()
        self._iteration = Iteration(store, self.id, self._flows)
        self._clock = StepClock(store)

    def on_pass(self, connection: Connection) -> float:
        """Fire what is due for steps; in how many seconds something is next."""
        return self._clock.fire(connection)

    def process_batch(self, connection: Connection, batch: Sequence[Entry]) -> None:
        """Deal with the events of a pass in one transaction; if that is refused, workflow by workflow."""
        judged = judge(batch)
        self.acknowledge_later(judged.foreign)
        if judged.concerns_us:
            self._deal_with(connection, judged)
        for id, news in judged.items.items():
            self._iteration.process(connection, id, news)

    def _deal_with(self, connection: Connection, judged: Judgement) -> None:
        while True:
            try:
                if self._transact(connection, judged):
                    return
                parts = list(judged.by_workflow())
            except _TooMuch:
                connection.execute([("UNWATCH",)])
                parts = list(judged.by_event())
            if len(parts) > 1:
                for part in parts:
                    self._deal_with(connection, part)
                return
            # Somebody moved this workflow again: look at it as it now stands.

    def _transact(self, connection: Connection, judged: Judgement) -> bool:
        """Load, advance, commit. False if somebody else has moved one of these workflows meanwhile. Raises
        _TooMuch for several events that are to be dealt with one by one."""
        judged.handed_over = load_out_of_band_outputs(connection, judged.without_output())
        now_ms, loaded = load(connection, self._flows, judged.indices())
        ended, lost = judged.ended_steps(loaded)
        moved = advance_all(connection, loaded, ended)
        input_bytes = sum(
            transition.input_bytes for transitions in moved.values() for transition in transitions
        )
        if judged.size + input_bytes > _MOST_AT_ONCE and judged.is_several:
            raise _TooMuch
        commands: list[Command] = []
        for id, transitions in moved.items():
            commands += transition_commands(self.store.stream, loaded[id], transitions, now_ms)
        is_done = commit(connection, commands + judged.settle(self.id, lost, now_ms))
        if is_done:
            log_transitions(loaded, moved)
        return is_done


def run(store: Store, context: RoleContext) -> int:
    """Run the role until it is stopped; the process's exit code."""
    return run_consumers(context, [Lifecycle(store)])
