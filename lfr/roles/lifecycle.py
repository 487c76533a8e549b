"""The orchestrator: end-task -> start-task. Read; load; advance each workflow; commit.

This screen is the way of the data. `BatchListener` reads the events of a pass and hands them to
`process_batch`; all that they change is written by one transaction, with their acknowledgement. What they
tell of iterated steps has transactions of its own, one for each workflow.
"""

from __future__ import annotations

from collections.abc import Sequence

from lfr.roles.advancing import advance_all
from lfr.roles.iteration import Iteration
from lfr.roles.judgement import Judgement, judge
from lfr.roles.log_transitions import log_transitions
from lfr.roles.process import Life, run_listeners
from lfr.roles.step_clock import StepClock
from lfr.store.commit import change, commit
from lfr.store.connection import Command, Link, Store
from lfr.store.flows import FlowCache
from lfr.store.load import load, read_handed_over
from lfr.store.stream import Entry
from lfr.worker.listener import BatchListener


class Lifecycle(BatchListener):
    """Moves workflows on. Any number of these may run side by side."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, "lifecycle")
        self._flows = FlowCache()
        self._iteration = Iteration(store, self.reader, self._flows)
        self._clock = StepClock(store)

    def on_pass(self, link: Link) -> float:
        """Fire what is due for steps; in how many seconds something is next."""
        return self._clock.fire(link)

    def process_batch(self, link: Link, batch: Sequence[Entry]) -> None:
        """Deal with the events of a pass in one transaction; if that is refused, workflow by workflow."""
        judged = judge(batch)
        self.acknowledge_later(judged.foreign)
        if judged.concerns_us and not self._transact(link, judged):
            for part in judged.by_workflow():
                while not self._transact(link, part):
                    pass  # somebody moved this workflow again: look at it as it now stands
        for id, news in judged.items.items():
            self._iteration.process(link, id, news)

    def _transact(self, link: Link, judged: Judgement) -> bool:
        """Load, advance, commit. False if somebody else has moved one of these workflows meanwhile."""
        judged.handed_over = read_handed_over(link, judged.without_output())
        now_ms, loaded = load(link, self._flows, judged.indices())
        ended, lost = judged.ended_steps(loaded)
        moved = advance_all(link, loaded, ended)
        commands: list[Command] = []
        for id, transitions in moved.items():
            commands += change(self.store.stream, loaded[id], transitions, now_ms)
        is_done = commit(link, commands + judged.settle(self.reader, lost, now_ms))
        if is_done:
            log_transitions(loaded, moved)
        return is_done


def run(store: Store, life: Life) -> int:
    """Run the role until it is stopped; the process's exit code."""
    return run_listeners(life, [Lifecycle(store)])
